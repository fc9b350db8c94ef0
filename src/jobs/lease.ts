// The lease of a job: which process runs it, and when it ran last. One row a job; every change is one statement.
import { type SQL, sql } from 'drizzle-orm'
import type { Database } from '../db/client.ts'

/** Longer than any pause of a process that is still alive, and than the skew between two trusted clocks. */
const LEASE_SECONDS = 300
/** A run that failed, or whose process died, is repeated after this long at the latest. */
const RETRY_SECONDS = 60
/** A start that lies further ahead was written by a clock that has since been set back, and counts for nothing. */
const FUTURE_SECONDS = 120

export interface LeaseRequest {
  name: string
  /** Names the process, for whoever looks at the row. */
  holder: string
  /** The job's interval in seconds. */
  every: number
}

/** Takes the lease if the job is due and no other process holds it. Of many that ask at once, one gets it. */
export async function takeLease(
  db: Database,
  { name, holder, every }: LeaseRequest,
  now: Date,
): Promise<boolean> {
  const at = sql`${now.toISOString()}::timestamptz`
  const taken = await db.execute(sql`
    insert into job_leases (name, holder, leased_until, last_started_at)
    select ${name}, ${holder}, ${at} + ${LEASE_SECONDS} * interval '1 second', ${at}
    where not exists (select from job_leases l where l.name = ${name} and not ${isDue(sql`l`, holder, every, at)})
    on conflict (name) do update set
      holder = excluded.holder, leased_until = excluded.leased_until, last_started_at = excluded.last_started_at
    where ${isDue(sql`job_leases`, holder, every, at)}
    returning name`)
  return taken.length > 0
}

/**
 * The row is free (or our own, left behind when the database went away during a run), and its last run began long
 * enough ago; a run that did not end well is repeated sooner.
 */
function isDue(row: SQL, holder: string, every: number, at: SQL): SQL {
  const retry = Math.min(every, RETRY_SECONDS)
  return sql`(
    (
      ${row}.leased_until <= ${at} or ${row}.holder = ${holder}
      or ${row}.leased_until > ${at} + ${LEASE_SECONDS + FUTURE_SECONDS} * interval '1 second'
    )
    and (
      ${row}.last_started_at is null
      or ${row}.last_started_at > ${at} + ${FUTURE_SECONDS} * interval '1 second'
      or ${row}.last_started_at <= ${at} - interval '1 second' * case
        when ${row}.last_error is null and ${row}.last_finished_at >= ${row}.last_started_at then ${every}::int
        else ${retry}::int end
    ))`
}

/** Holds on to the lease while the job runs. False: another process has it. */
export async function renewLease(
  db: Database,
  { name, holder }: Pick<LeaseRequest, 'name' | 'holder'>,
  now: Date,
): Promise<boolean> {
  const renewed = await db.execute(sql`
    update job_leases set leased_until = ${now.toISOString()}::timestamptz + ${LEASE_SECONDS} * interval '1 second'
    where name = ${name} and holder = ${holder}
    returning name`)
  return renewed.length > 0
}

/** Half of which may fail before the lease is lost. */
export const RENEW_SECONDS = LEASE_SECONDS / 4

/** Gives the lease back. `last_finished_at` is the last run that ended well; `failure` must hold no secret. */
export async function giveLeaseBack(
  db: Database,
  { name, holder }: Pick<LeaseRequest, 'name' | 'holder'>,
  failure: string | null,
  now: Date,
): Promise<void> {
  const at = sql`${now.toISOString()}::timestamptz`
  await db.execute(sql`
    update job_leases set leased_until = ${at}, last_error = ${failure}::text,
      last_finished_at = case when ${failure}::text is null then ${at} else last_finished_at end
    where name = ${name} and holder = ${holder}`)
}
