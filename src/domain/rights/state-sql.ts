// The state of a license as SQL, with the boundaries of standingOf: whole seconds, through the last one (T6).
import { type SQL, sql } from 'drizzle-orm'

/** What a query calls the tables: `l` and `t` where nothing else is said. */
interface Names {
  license: SQL
  tier: SQL
}

const SHORT: Names = { license: sql`l`, tier: sql`t` }

/** `active`, `in_grace`, `expired`, `suspended` or `revoked`. */
export const licenseStateSql = (now: Date, names: Names = SHORT): SQL => sql`
  case
    when ${names.license}.status <> 'active' then ${names.license}.status
    when ${names.license}.expires_at is null or ${names.license}.expires_at >= ${second(now)} then 'active'
    when ${graceEndOf(names)} >= ${second(now)} then 'in_grace'
    else 'expired'
  end`

const graceEndOf = ({ license, tier }: Names): SQL => sql`(
  ${license}.expires_at + coalesce(${license}.grace_days, ${tier}.grace_days) * interval '86400 seconds')`

/** The last moment of the grace of `l`, whose tier is `t`. */
export const graceEnd: SQL = graceEndOf(SHORT)

const second = (now: Date): SQL => sql`date_trunc('second', ${now.toISOString()}::timestamptz)`
