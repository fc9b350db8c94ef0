// What the background jobs keep in order: partitions made ahead, jobs that end well, nothing kept for too long.
import { sql } from 'drizzle-orm'
import type { Settings } from '../../config/settings.ts'
import type { Database } from '../../db/client.ts'
import { DAYS_AHEAD, listPartitions, oldestStoredDay, partitionDay } from '../../db/partitions.ts'
import { jobLeases } from '../../db/schema/index.ts'
import { addDays, addSeconds, DAY_SECONDS, rfc3339 } from '../../platform/time.ts'
import { jobsOf } from '../../server/job-list.ts'
import { counted, type Finding, ok, problem, warning } from './finding.ts'

/** Runs that may be missed before a job is called late; and for the rarest job the time to get to it. */
const MISSED_RUNS = 3
const ROOM_SECONDS = 300
/** Retention runs once a day, and partitions are whole days. */
const RETENTION_ROOM_SECONDS = 3 * DAY_SECONDS
const NO_SERVER = 'Let a server run: its jobs do this. Where one runs, its log says what keeps them.'

/** `isStopped`: no server runs. The next start makes what is missing, before it answers anybody. */
export async function examinePartitions(db: Database, now: Date, isStopped: boolean): Promise<Finding> {
  const made = await listPartitions(db)
  const wanted = Array.from({ length: DAYS_AHEAD + 1 }, (_, n) => partitionDay(addDays(now, n)))
  const missing = wanted.filter((day) => !made.includes(day))
  if (missing.length > 0 && isStopped) {
    return ok('partitions', `The next start makes ${counted(missing.length, 'day')}: ${missing.join(', ')}.`)
  }
  if (missing.includes(wanted[0] ?? '')) {
    return problem('partitions', 'There is no partition for the reports of today.', 'Run leasehold migrate.')
  }
  if (missing.length > 0) {
    return warning('partitions', `Not made ahead: ${missing.join(', ')}.`, NO_SERVER)
  }
  const gaps = daysBetween(made[0] ?? '', wanted[0] ?? '').filter((day) => !made.includes(day))
  const days = `${counted(made.length, 'day')} from ${made[0]} to ${made.at(-1)}`
  const note =
    gaps.length === 0 ? '' : `; ${counted(gaps.length, 'day')} before today without one: no server ran`
  return ok('partitions', `${days}${note}.`)
}

function daysBetween(from: string, to: string): string[] {
  const days: string[] = []
  for (let at = from; at < to; at = partitionDay(addDays(new Date(at), 1))) days.push(at)
  return days
}

export async function examineJobs(db: Database, settings: Settings, now: Date): Promise<Finding[]> {
  const leases = new Map((await db.select().from(jobLeases)).map((row) => [row.name, row]))
  const jobs = jobsOf(settings)
  const failing = jobs.flatMap(({ name }) => {
    const error = leases.get(name)?.lastError ?? null
    const fix = 'The log says more, under the name of the job. A failed run is repeated within a minute.'
    return error === null ? [] : [problem('jobs', `${name} fails: ${error}`, fix)]
  })
  const late = jobs.filter(({ name, every }) => {
    const row = leases.get(name)
    if (row === undefined) return true
    const since = addSeconds(now, -(MISSED_RUNS * every + ROOM_SECONDS))
    return row.leasedUntil <= now && row.lastError === null && (row.lastFinishedAt ?? since) <= since
  })
  if (late.length > 0) {
    const names = late.map(({ name }) => name).join(', ')
    return [...failing, warning('jobs', `Not run for long: ${names}.`, NO_SERVER)]
  }
  return failing.length > 0 ? failing : [ok('jobs', `All ${jobs.length} end well.`)]
}

interface Oldest extends Record<string, unknown> {
  audit: string | null
  events: string | null
  hourly: string | null
  daily: string | null
}

export async function examineRetention(db: Database, settings: Settings, now: Date): Promise<Finding> {
  const [oldest] = await db.execute<Oldest>(sql`
    select (select min(at) from audit_log) as audit,
      (select min(at) from events where number < (select max(number) from events)) as events,
      (select min(bucket) from telemetry_sums where grain = 'hour') as hourly,
      (select min(bucket) from telemetry_sums where grain = 'day') as daily`)
  const firstDay = await oldestStoredDay(db)
  const kept: [what: string, since: string | null | undefined, seconds: number][] = [
    ['reports', firstDay, settings.retentionReportsSeconds],
    ['audit entries', oldest?.audit, settings.retentionAuditSeconds],
    ['events', oldest?.events, settings.retentionEventsSeconds],
    ['hourly telemetry', oldest?.hourly, settings.retentionTelemetryHourlySeconds],
    ['daily telemetry', oldest?.daily, settings.retentionTelemetryDailySeconds],
  ]
  const over = kept.flatMap(([what, since, seconds]) => {
    if (!since) return []
    const at = new Date(since)
    return at < addSeconds(now, -seconds - RETENTION_ROOM_SECONDS) ? [`${what} of ${rfc3339(at)}`] : []
  })
  if (over.length === 0) return ok('retention', 'Nothing is older than the settings allow.')
  return warning('retention', `Kept for longer than the settings say: ${over.join(', ')}.`, NO_SERVER)
}
