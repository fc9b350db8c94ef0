// Finds the instances that have fallen silent, and closes what was found about those that are heard again. A job's
// verb: it accuses on the server's own word, not on a report's.
import { sql } from 'drizzle-orm'
import { ANOMALY_SEVERITY } from '../../contract/anomalies.ts'
import { transaction } from '../../db/transaction.ts'
import { addSeconds } from '../../platform/time.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'

/**
 * Silent for `staleAfter` or longer, and not deactivated; a site without a network is silent by right, for as long as
 * the lease of its offline activation runs. A silence is found once: resolving it by hand lasts until
 * the instance was heard and falls silent again. Returns how many rows were opened and closed.
 */
export async function findStaleInstances(ctx: Ctx): Promise<{ opened: number; closed: number }> {
  requireRole(ctx, 'operator')
  const now = ctx.clock.now()
  const at = now.toISOString()
  const silentSince = addSeconds(now, -ctx.settings.staleAfter).toISOString()
  return transaction(ctx.db, async (tx) => {
    const closed = await tx.execute(sql`
      update anomalies a set resolved_at = ${at}::timestamptz, resolved_by = 'system',
        note = case when i.deactivated_at is null then 'heard again' else 'deactivated' end
      from instances i
      where a.type = 'stale_instance' and a.resolved_at is null and i.instance_key = a.instance_key
        and (i.last_seen_at >= a.first_seen_at or i.deactivated_at is not null)
      returning a.id`)
    // The time part of a UUIDv7, and the random part of a v4: PostgreSQL 15 makes no v7 of its own.
    const opened = await tx.execute(sql`
      insert into anomalies (instance_key, id, product_id, type, severity, count, first_seen_at, last_seen_at,
        evidence, proof)
      select i.instance_key,
        (lpad(to_hex(${now.getTime()}::bigint), 12, '0') || '7'
          || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid,
        i.product_id, 'stale_instance', ${ANOMALY_SEVERITY.stale_instance}, 1, ${at}::timestamptz,
        ${at}::timestamptz,
        jsonb_build_object(
          'last_seen_at', to_char(i.last_seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
          'silent_hours', floor(extract(epoch from ${at}::timestamptz - i.last_seen_at) / 3600)::int),
        i.proof
      from instances i
      where i.deactivated_at is null and i.last_seen_at <= ${silentSince}::timestamptz
        and not exists (
          select from offline_activations o
          where o.instance_key = i.instance_key and o.issued_at >= i.last_seen_at
            and o.lease_ends_at > ${at}::timestamptz)
        and not exists (
          select from anomalies a
          where a.instance_key = i.instance_key and a.type = 'stale_instance'
            and (a.resolved_at is null or a.first_seen_at > i.last_seen_at))
      order by i.instance_key
      on conflict (instance_key, type) where resolved_at is null do nothing
      returning id`)
    return { opened: opened.length, closed: closed.length }
  })
}
