// Binds a static license JWT to the first instance that refreshes it.
import { sql } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'

/**
 * True when the token is, or now becomes, this instance's. It passes on only when the instance that it was bound to
 * holds no seat any more. One statement decides, so two instances at once cannot both win. A token that is not on record
 * passes: the database was restored from before it (T12).
 */
export async function bindStaticJwt(
  tx: Transaction,
  id: string,
  licenseId: string,
  instanceKey: string,
  now: Date,
): Promise<boolean> {
  const rows = await tx.execute(sql`
    update static_jwts s set bound_instance_key = ${instanceKey}::uuid
    where s.id = ${id}::uuid and (
      s.bound_instance_key is null or s.bound_instance_key = ${instanceKey}::uuid or not exists (
        select 1 from activations a
        where a.instance_key = s.bound_instance_key and a.license_id = ${licenseId}::uuid
          and a.ended_at is null and a.lease_ends_at > ${now.toISOString()}::timestamptz))
    returning s.id`)
  if (rows.length === 1) return true
  const known = await tx.execute(sql`select 1 from static_jwts where id = ${id}::uuid`)
  return known.length === 0
}
