// The state of a license as SQL, with the boundaries of standingOf: whole seconds, through the last one (T6).
import { type SQL, sql } from 'drizzle-orm'

/** `active`, `in_grace`, `expired`, `suspended` or `revoked`; `l` names the license, `t` its tier. */
export const licenseStateSql = (now: Date): SQL => sql`
  case
    when l.status <> 'active' then l.status
    when l.expires_at is null or l.expires_at >= ${second(now)} then 'active'
    when ${graceEnd} >= ${second(now)} then 'in_grace'
    else 'expired'
  end`

/** The last moment of the grace of `l`, whose tier is `t`. */
export const graceEnd: SQL = sql`(
  l.expires_at + coalesce(l.grace_days, t.grace_days) * interval '86400 seconds')`

const second = (now: Date): SQL => sql`date_trunc('second', ${now.toISOString()}::timestamptz)`
