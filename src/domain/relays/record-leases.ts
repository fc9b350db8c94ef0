// Takes in what a relay tells of its leases, and accuses it when it gave out more than it may: it was copied.
import { eq, sql } from 'drizzle-orm'
import { ALLOTMENT_LIFE } from '../../contract/claims.ts'
import { relayLeaseReport } from '../../contract/relay-api.schema.ts'
import type { LeasesAnswer, RelayLeaseReport } from '../../contract/relay-api.ts'
import type { Transaction } from '../../db/client.ts'
import { relays } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { instanceKey, parsePublicId, publicId } from '../../platform/ids.ts'
import { addSeconds, parseRfc3339 } from '../../platform/time.ts'
import { advanceLineage } from '../fleet/lineage.ts'
import { readLineageState } from '../fleet/lineage-state.ts'
import type { Bearer } from '../kernel/bearer.ts'
import type { Ctx } from '../kernel/context.ts'
import { accuseRelay } from './accuse-relay.ts'
import { authenticateRelay } from './authenticate-relay.ts'
import { unknownRelayKey } from './find-relay.ts'

/** Leases of one relay that are kept; one more is refused. */
const MOST_LEASES = 10_000
/** Clocks may differ. */
const SKEW_SECONDS = 300

interface Body {
  leases: readonly unknown[]
  refresh_token?: string | undefined
  refresh_id?: string | undefined
}

interface Lease {
  index: number
  licenseId: string
  product: string
  instanceKey: string
  issuedAt: string
  expiresAt: string
  released: boolean
}

/**
 * The newest word about (license, instance) counts, whatever comes twice or late. A constant number of statements.
 * @throws Refusal 401 about the relay key. A bad lease is listed in the answer and fails no other.
 */
export async function recordLeases(ctx: Ctx, bearer: Bearer, body: Body): Promise<LeasesAnswer> {
  const relay = await authenticateRelay(ctx, bearer)
  const now = ctx.clock.now()
  const rejected: LeasesAnswer['rejected'] = []
  const leases = body.leases.flatMap((value, index) => {
    const lease = readLease(value, index, now)
    if (!lease) rejected.push({ index, error: 'invalid_request' })
    return lease ?? []
  })
  const scope = { key: ctx.pepper, product: 'relay:', instanceId: publicId('rly', relay.id) }
  return transaction(ctx.db, async (tx) => {
    const [row] = await tx.select().from(relays).where(eq(relays.id, relay.id)).for('update')
    if (!row || row.keyHash !== relay.keyHash || row.revokedAt !== null) throw unknownRelayKey()
    const { unknown, tooMany } = await writeLeases(tx, relay.id, leases, now)
    const chain = advanceLineage(
      readLineageState(row.lineage),
      { refreshToken: body.refresh_token, refreshId: body.refresh_id },
      scope,
      now,
      ctx.random,
    )
    await tx.update(relays).set({ lineage: chain.state }).where(eq(relays.id, relay.id))
    await accuseRelay(tx, ctx, relay.id, chain.cloneEvidence)
    const errors = [
      ...rejected,
      ...unknown.map((index) => ({ index, error: 'allotment_unknown' })),
      ...tooMany.map((index) => ({ index, error: 'too_many_leases' })),
    ].sort((a, b) => a.index - b.index)
    return {
      accepted: body.leases.length - errors.length,
      rejected: errors,
      refresh_token: chain.nextToken,
    }
  })
}

function readLease(value: unknown, index: number, now: Date): Lease | null {
  const parsed = relayLeaseReport.safeParse(value)
  if (!parsed.success) return null
  const { license_id, product, instance_id, issued_at, expires_at, released }: RelayLeaseReport = parsed.data
  const licenseId = parsePublicId('lic', license_id)
  const [issuedAt, expiresAt] = [parseRfc3339(issued_at), parseRfc3339(expires_at)]
  const latest = addSeconds(now, ALLOTMENT_LIFE + SKEW_SECONDS)
  if (licenseId === null || !(issuedAt <= expiresAt && expiresAt <= latest)) return null
  return {
    index,
    licenseId,
    product,
    instanceKey: instanceKey(product, instance_id),
    issuedAt: issuedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    released: released ?? false,
  }
}

/** The relay's row is held. Returns the places in the request of what was not taken. */
async function writeLeases(
  tx: Transaction,
  relayId: string,
  leases: readonly Lease[],
  now: Date,
): Promise<{ unknown: number[]; tooMany: number[] }> {
  if (leases.length === 0) return { unknown: [], tooMany: [] }
  const rows = JSON.stringify(leases)
  const [state] = await tx.execute<{ kept: string; known: number[] }>(sql`
    select (select count(*) from relay_leases where relay_id = ${relayId}::uuid) as kept,
      to_jsonb(array(select l.index from jsonb_to_recordset(${rows}::jsonb) as l(index int, "licenseId" uuid, product text)
        join relay_allotments a on a.relay_id = ${relayId}::uuid and a.license_id = l."licenseId" and a.seq > 0
        join licenses on licenses.id = a.license_id
        join products p on p.id = licenses.product_id and p.code = l.product)) as known`)
  const known = new Set(state?.known)
  const unknown = leases.flatMap(({ index }) => (known.has(index) ? [] : [index]))
  const taken = leases.filter(({ index }) => known.has(index))
  // Bounds what a relay gone wild can store; up to one request more is no harm.
  if (Number(state?.kept) >= MOST_LEASES) return { unknown, tooMany: taken.map(({ index }) => index) }
  await tx.execute(sql`
    insert into relay_leases as known (relay_id, license_id, instance_key, allotment_seq, issued_at, expires_at,
      released, reported_at)
    select distinct on (l."licenseId", l."instanceKey") ${relayId}::uuid, l."licenseId", l."instanceKey",
      a.seq, l."issuedAt", l."expiresAt", l.released, ${now.toISOString()}::timestamptz
    from jsonb_to_recordset(${JSON.stringify(taken)}::jsonb) as l(index int, "licenseId" uuid, "instanceKey" uuid,
        "issuedAt" timestamptz, "expiresAt" timestamptz, released boolean)
      join relay_allotments a on a.relay_id = ${relayId}::uuid and a.license_id = l."licenseId"
    order by l."licenseId", l."instanceKey", l."issuedAt" desc, l.released desc, l.index desc
    on conflict (relay_id, license_id, instance_key) do update set allotment_seq = excluded.allotment_seq,
      issued_at = excluded.issued_at, expires_at = excluded.expires_at, released = excluded.released,
      reported_at = excluded.reported_at
    where excluded.issued_at > known.issued_at
      or (excluded.issued_at = known.issued_at and (excluded.released or not known.released))`)
  return { unknown, tooMany: [] }
}
