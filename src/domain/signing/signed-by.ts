// What a signing key signed that is still in use. Nothing records a signature's key: the times at which things were
// issued tell which key signed for the product then. Counts only; changes nothing.
import { sql } from 'drizzle-orm'
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
  /** The instances of `leases` or `entitled`, those last whose leases run longest. */
  instances: NamedInstance[]
}

type Key = Pick<SigningKeyRow, 'productId' | 'use' | 'notBefore' | 'supersededAt' | 'revokedAt'>
type Row = Record<string, string | null>

/** `entitlementLife` in seconds: what an entitlement token runs at most. */
export async function readSignedBy(
  db: Executor,
  key: Key,
  entitlementLife: number,
  now: Date,
): Promise<SignedBy> {
  const at = sql`${now.toISOString()}::timestamptz`
  const from = sql`${key.notBefore.toISOString()}::timestamptz`
  const end = earliest(key.supersededAt, key.revokedAt)
  const until = sql`coalesce(${end?.toISOString() ?? null}::timestamptz, 'infinity')`
  const live = sql`i.product_id = ${key.productId}::uuid and ${seatIsLive(now)}`
  const recent = sql`${addSeconds(now, -entitlementLife).toISOString()}::timestamptz`
  const bearing =
    key.use === 'jws'
      ? sql`${live} and a.lease_issued_at >= ${from} and a.lease_issued_at < ${until}`
      : sql`${live} and i.last_seen_at >= greatest(${recent}, ${from}) and ${until} > ${recent}`
  const [counts] = await db.execute<Row>(sql`
    select count(distinct i.instance_key) as count, 
      (min(extract(epoch from a.lease_issued_at)) * 1000)::bigint as since_ms
    from activations a join instances i on i.instance_key = a.instance_key where ${bearing}`)
  const named = await db.execute<Row>(sql`
    select i.instance_key, i.instance_id, max(extract(epoch from a.lease_ends_at) * 1000)::bigint as ends
    from activations a join instances i on i.instance_key = a.instance_key where ${bearing}
    group by 1, 2 order by 3, 1 limit ${NAMED_INSTANCES}`)
  const [issued] = await db.execute<Row>(sql`
    select count(*) filter (where c.kind = 'jws') as jwts,
      (min(extract(epoch from c.created_at) * 1000) filter (where c.kind = 'jws'))::bigint as jwts_since,
      count(*) filter (where c.kind = 'raw') as keys, count(*) filter (where c.kind = 'raw' and c.offline) as offline,
      (min(extract(epoch from c.created_at) * 1000) filter (where c.kind = 'raw'))::bigint as keys_since
    from (
      select 'jws' as kind, license_id, created_at, false as offline from static_jwts
      where revoked_at is null and expires_at > ${at}
      union all
      select 'raw', license_id, created_at, offline from license_keys
      where revoked_at is null and not (offline and coalesce(expires_at <= ${at}, false))
    ) c join licenses l on l.id = c.license_id
    where l.product_id = ${key.productId}::uuid and c.kind = ${key.use}
      and c.created_at >= ${from} and c.created_at < ${until}`)
  const isJws = key.use === 'jws'
  const bearers = Number(counts?.count ?? 0)
  return {
    leases: isJws ? { count: bearers, since: dateOf(counts?.since_ms) } : NONE,
    staticJwts: { count: Number(issued?.jwts ?? 0), since: dateOf(issued?.jwts_since) },
    licenseKeys: { count: Number(issued?.keys ?? 0), since: dateOf(issued?.keys_since) },
    offlineKeys: Number(issued?.offline ?? 0),
    entitled: isJws ? 0 : bearers,
    instances: named.map((row) => ({
      instanceKey: String(row.instance_key),
      instanceId: String(row.instance_id),
      leaseEndsAt: dateOf(row.ends) ?? now,
    })),
  }
}

const NONE: InUse = { count: 0, since: null }

const dateOf = (milliseconds: string | null | undefined): Date | null =>
  milliseconds == null ? null : fromUnixSeconds(Number(milliseconds) / 1000)

function earliest(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b
  return a < b ? a : b
}
