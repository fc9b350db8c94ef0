// Tells once that a license is about to end, has ended, and has used up its grace: as events, in the audit log and in
// the log. A job's verb; it changes no license.
import { sql } from 'drizzle-orm'
import { EXPIRY_DAYS } from '../../contract/admin-stats.ts'
import type { Transaction } from '../../db/client.ts'
import { transaction } from '../../db/transaction.ts'
import { publicId } from '../../platform/ids.ts'
import { parseRfc3339, rfc3339 } from '../../platform/time.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { type Change, recordChanges } from '../kernel/record-change.ts'
import { graceEnd } from '../rights/state-sql.ts'

const BATCH = 500

type Notice = {
  license_id: string
  product_id: string
  notice: string
  /** Days before the end; null once it has come. */
  days: number | null
  expires_at: string
}

/**
 * Gives every notice that is due, of licenses that are not revoked. Of the thresholds that were passed without a
 * notice only the nearest is told, and none that the license was issued after; what has ended is always told. A batch
 * is one transaction of five statements: a notice is given if and only if it is written down, whoever else runs.
 */
export async function giveNotice(ctx: Ctx, signal: AbortSignal): Promise<{ notices: number } | null> {
  requireRole(ctx, 'operator')
  for (let notices = 0; ; ) {
    const given = await transaction(ctx.db, (tx) => giveBatch(tx, ctx))
    notices += given
    if (given < BATCH || signal.aborted) return notices > 0 ? { notices } : null
  }
}

async function giveBatch(tx: Transaction, ctx: Ctx): Promise<number> {
  const now = sql`${ctx.clock.now().toISOString()}::timestamptz`
  const second = sql`date_trunc('second', ${now})`
  const thresholds = JSON.stringify(EXPIRY_DAYS)
  const given = await tx.execute<Notice>(sql`
    with due as (
      select l.id, l.product_id, l.expires_at, n.notice, n.days
      from licenses l join tiers t on t.id = l.tier_id
      cross join lateral (
        select 'expiring_' || nearest.days || 'd' as notice, nearest.days
        from (
          select d.value::int as days from jsonb_array_elements_text(${thresholds}::jsonb) d
          where ${now} >= l.expires_at - d.value::int * interval '86400 seconds'
          order by d.value::int limit 1
        ) nearest
        where l.expires_at >= ${second} and l.issued_at < l.expires_at - nearest.days * interval '86400 seconds'
        union all select 'expired', null where l.expires_at < ${second}
        union all select 'grace_ended', null where ${graceEnd} < ${second}
      ) n
      where l.status <> 'revoked'
        and l.expires_at <= ${now} + ${Math.max(...EXPIRY_DAYS)}::int * interval '86400 seconds'
        and not exists (
          select from license_notices g
          where g.license_id = l.id and g.expires_at = l.expires_at and g.notice = n.notice)
      order by l.id, n.notice limit ${BATCH}
    ), given as (
      insert into license_notices (license_id, expires_at, notice, given_at)
      select id, expires_at, notice, ${now} from due order by id, expires_at, notice
      on conflict (license_id, expires_at, notice) do nothing
      returning license_id, expires_at, notice
    )
    select g.license_id, d.product_id, g.notice, d.days,
      to_char(g.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as expires_at
    from given g join due d on d.id = g.license_id and d.notice = g.notice
    order by g.expires_at, g.license_id, g.notice`)
  await recordChanges(tx, ctx, given.map(changeOf))
  return given.length
}

function changeOf({ license_id, product_id, notice, days, expires_at }: Notice): Change {
  const type =
    days !== null ? 'license.expiring' : notice === 'expired' ? 'license.expired' : 'license.grace_ended'
  return {
    action: type,
    subject: publicId('lic', license_id),
    event: type,
    details: { expires_at: rfc3339(parseRfc3339(expires_at)), ...(days === null ? {} : { days }) },
    scope: { productId: product_id, licenseId: license_id },
  }
}
