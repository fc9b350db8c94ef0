// What a signing key signed that is still in use. Nothing records a signature's key: the times at which things were
// issued tell which key signed for the product then. Counts only; changes nothing.
import { type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../db/client.ts'
import { addSeconds, fromUnixSeconds } from '../../platform/time.ts'
import { seatIsLive } from '../rights/seat.ts'
import type { SigningKeyRow } from './signing-key.ts'

/** How many instances are named; the counts are of all. */
export const NAMED_INSTANCES = 50

export interface InUse {
  count: number
  /** When the oldest of them was issued; null for none. */
  since: Date | null
}

export interface NamedInstance {
  instanceKey: string
  instanceId: string
  leaseEndsAt: Date
}

export interface SignedBy {
  /** Instances that hold a lease signed by it. */
  leases: InUse
  staticJwts: InUse
  licenseKeys: InUse
  /** Those of the license keys that are leases of their own. */
  offlineKeys: number
  /** Instances whose entitlement token may be signed by it. */
  entitled: number
  /** Relays' allotments within their life. */
  allotments: InUse
  /** Offline answers whose lease runs. */
  offlineAnswers: InUse
  /** The instances of all these, those last whose leases run longest. */
  instances: NamedInstance[]
}

type Key = Pick<SigningKeyRow, 'productId' | 'use' | 'notBefore' | 'supersededAt' | 'revokedAt'>
type Row = Record<string, string | null>

/** The key's product and the time in which it signed, as parts of a statement. */
interface Reach {
  product: SQL
  at: SQL
  from: SQL
  until: SQL
}

/** `entitlementLife` in seconds: what an entitlement token runs at most. */
export async function readSignedBy(
  db: Executor,
  key: Key,
  entitlementLife: number,
  now: Date,
): Promise<SignedBy> {
  const end = earliest(key.supersededAt, key.revokedAt)
  const reach: Reach = {
    product: sql`${key.productId}::uuid`,
    at: time(now),
    from: time(key.notBefore),
    until: sql`coalesce(${end?.toISOString() ?? null}::timestamptz, 'infinity')`,
  }
  switch (key.use) {
    case 'license':
      return { ...NOTHING, ...(await signedLicenses(db, reach, now)) }
    case 'control':
      return { ...NOTHING, ...(await signedOrders(db, reach, now)) }
    case 'raw':
      return { ...NOTHING, ...(await signedRaw(db, reach, time(addSeconds(now, -entitlementLife)), now)) }
  }
}

async function signedLicenses(db: Executor, { product, at, from, until }: Reach, now: Date) {
  const bearing = sql`from activations a join instances i on i.instance_key = a.instance_key
    where i.product_id = ${product} and ${seatIsLive(now)}
      and a.lease_issued_at >= ${from} and a.lease_issued_at < ${until}`
  const [leases] = await db.execute<Row>(sql`
    select count(distinct i.instance_key) as count, ${oldest(sql`a.lease_issued_at`)} ${bearing}`)
  const [jwts] = await db.execute<Row>(sql`
    select count(*) as count, ${oldest(sql`c.created_at`)}
    from static_jwts c join licenses l on l.id = c.license_id
    where l.product_id = ${product} and c.revoked_at is null and c.expires_at > ${at}
      and c.created_at >= ${from} and c.created_at < ${until}`)
  return { leases: inUse(leases), staticJwts: inUse(jwts), instances: await named(db, bearing, now) }
}

async function signedOrders(db: Executor, { product, at, from, until }: Reach, now: Date) {
  const [allotments] = await db.execute<Row>(sql`
    select count(*) as count, ${oldest(sql`r.updated_at`)}
    from relay_allotments r join licenses l on l.id = r.license_id
    where l.product_id = ${product} and r.seats > 0 and r.expires_at > ${at}
      and r.updated_at >= ${from} and r.updated_at < ${until}`)
  const answered = sql`from offline_activations a join licenses l on l.id = a.license_id
      join instances i on i.instance_key = a.instance_key
    where l.product_id = ${product} and a.expires_at > ${at} and a.issued_at >= ${from} and a.issued_at < ${until}`
  const [answers] = await db.execute<Row>(
    sql`select count(*) as count, ${oldest(sql`a.issued_at`)} ${answered}`,
  )
  return {
    allotments: inUse(allotments),
    offlineAnswers: inUse(answers),
    instances: await named(db, answered, now),
  }
}

async function signedRaw(db: Executor, { product, at, from, until }: Reach, recent: SQL, now: Date) {
  const entitled = sql`from activations a join instances i on i.instance_key = a.instance_key
    where i.product_id = ${product} and ${seatIsLive(now)}
      and i.last_seen_at >= greatest(${recent}, ${from}) and ${until} > ${recent}`
  const [tokens] = await db.execute<Row>(
    sql`select count(distinct i.instance_key) as count, null as since_ms ${entitled}`,
  )
  const [keys] = await db.execute<Row>(sql`
    select count(*) as count, count(*) filter (where c.offline) as offline, ${oldest(sql`c.created_at`)}
    from license_keys c join licenses l on l.id = c.license_id
    where l.product_id = ${product} and c.revoked_at is null
      and not (c.offline and coalesce(c.expires_at <= ${at}, false))
      and c.created_at >= ${from} and c.created_at < ${until}`)
  return {
    licenseKeys: inUse(keys),
    offlineKeys: Number(keys?.offline ?? 0),
    entitled: inUse(tokens).count,
    instances: await named(db, entitled, now),
  }
}

/** The first instances of a statement that joins `instances i` to rows `a` with the end of a lease. */
async function named(db: Executor, holders: SQL, now: Date): Promise<NamedInstance[]> {
  const found = await db.execute<Row>(sql`
    select i.instance_key, i.instance_id, max(extract(epoch from a.lease_ends_at) * 1000)::bigint as ends
    ${holders} group by 1, 2 order by 3, 1 limit ${NAMED_INSTANCES}`)
  return found.map((row) => ({
    instanceKey: String(row.instance_key),
    instanceId: String(row.instance_id),
    leaseEndsAt: dateOf(row.ends) ?? now,
  }))
}

const NONE: InUse = { count: 0, since: null }
const NOTHING: SignedBy = {
  leases: NONE,
  staticJwts: NONE,
  licenseKeys: NONE,
  offlineKeys: 0,
  entitled: 0,
  allotments: NONE,
  offlineAnswers: NONE,
  instances: [],
}

const time = (date: Date): SQL => sql`${date.toISOString()}::timestamptz`

const oldest = (column: SQL): SQL => sql`(min(extract(epoch from ${column})) * 1000)::bigint as since_ms`

const inUse = (row: Row | undefined): InUse => ({
  count: Number(row?.count ?? 0),
  since: dateOf(row?.since_ms),
})

const dateOf = (milliseconds: string | null | undefined): Date | null =>
  milliseconds == null ? null : fromUnixSeconds(Number(milliseconds) / 1000)

function earliest(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b
  return a < b ? a : b
}
