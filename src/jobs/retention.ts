// Deletes what has been kept long enough. Reports leave with their partitions. A new table adds one entry here.
import { type SQL, sql } from 'drizzle-orm'
import { IDEMPOTENCY_LIFE } from '../domain/idempotency/answer-once.ts'
import type { Ctx } from '../domain/kernel/context.ts'
import { BUDGET_WINDOW } from '../domain/kernel/spend-budget.ts'
import { forgetStreams } from '../domain/telemetry/forget-streams.ts'
import { addDays, addSeconds, DAY_SECONDS } from '../platform/time.ts'

/** Small enough that nobody waits for the locks of one statement. */
const BATCH = 5_000
/** A report may be 30 days late; after that its stream decides nothing any more. */
const STREAM_DAYS = 35
/** The same for what the roll-up remembers, with days for a roll-up that did not run. */
const MARK_DAYS = 45

/** Twice the longest window, in seconds. */
const COUNT_LIFE = 2 * DAY_SECONDS

/** Seconds. */
export interface Retention {
  audit: number
  events: number
  telemetryHourly: number
  telemetryDaily: number
}

interface Expiry {
  /** In the log. */
  name: string
  table: string
  condition: SQL
}

function expiries(retention: Retention, now: Date): Expiry[] {
  const time = (date: Date) => sql`${date.toISOString()}::timestamptz`
  const ago = (seconds: number) => time(addSeconds(now, -seconds))
  const markDay = sql`day < (${time(addDays(now, -MARK_DAYS))} at time zone 'UTC')::date`
  return [
    { name: 'audit', table: 'audit_log', condition: sql`at < ${ago(retention.audit)}` },
    // The newest event stays: the next number is counted from it (T12).
    {
      name: 'events',
      table: 'events',
      condition: sql`at < ${ago(retention.events)} and number < (select max(number) from events)`,
    },
    {
      name: 'relay_leases',
      table: 'relay_leases',
      condition: sql`expires_at < ${time(addDays(now, -STREAM_DAYS))}`,
    },
    { name: 'seats', table: 'forgotten_seats', condition: sql`lease_ends_at < ${time(now)}` },
    { name: 'answers', table: 'idempotency_keys', condition: sql`created_at < ${ago(IDEMPOTENCY_LIFE)}` },
    { name: 'spending', table: 'action_spending', condition: sql`at < ${ago(BUDGET_WINDOW)}` },
    { name: 'lifts', table: 'action_budget_lifts', condition: sql`lifted_until < ${time(now)}` },
    { name: 'counts', table: 'usage_counts', condition: sql`window_start < ${ago(COUNT_LIFE)}` },
    {
      name: 'hourly_sums',
      table: 'telemetry_sums',
      condition: sql`grain = 'hour' and bucket < ${ago(retention.telemetryHourly)}`,
    },
    {
      name: 'daily_sums',
      table: 'telemetry_sums',
      condition: sql`grain = 'day' and bucket < ${ago(retention.telemetryDaily)}`,
    },
    { name: 'telemetry_marks', table: 'telemetry_presence', condition: markDay },
    { name: 'telemetry_versions', table: 'telemetry_versions', condition: markDay },
  ]
}

/** Returns how many rows left, by name; null when none did. */
export async function deleteExpired(
  ctx: Ctx,
  retention: Retention,
  signal: AbortSignal,
): Promise<Record<string, number> | null> {
  const deleted: Record<string, number> = { streams: await forgetStreams(ctx, STREAM_DAYS, signal) }
  for (const expiry of expiries(retention, ctx.clock.now())) {
    if (signal.aborted) break
    deleted[expiry.name] = await deleteBatches(ctx, signal, expiry)
  }
  return Object.values(deleted).some((count) => count > 0) ? deleted : null
}

async function deleteBatches(
  { db }: Ctx,
  signal: AbortSignal,
  { table, condition }: Expiry,
): Promise<number> {
  const name = sql.identifier(table)
  for (let total = 0; ; ) {
    const gone = await db.execute(sql`
      delete from ${name} where ctid = any(array(select ctid from ${name} where ${condition} limit ${BATCH}))
      returning 1`)
    total += gone.length
    if (gone.length < BATCH || signal.aborted) return total
  }
}
