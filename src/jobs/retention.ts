// Deletes what has been kept long enough: audit entries, events, answers kept for repeated requests, the streams of
// boots long gone, and the seats of deleted instances whose leases are over. Reports leave with their partitions.
import { type SQL, sql } from 'drizzle-orm'
import type { Ctx } from '../domain/context.ts'
import { IDEMPOTENCY_LIFE } from '../domain/idempotency/answer-once.ts'
import { addDays, addSeconds } from '../platform/time.ts'

/** Small enough that nobody waits for the locks of one statement. */
const BATCH = 5_000
/** A report may be 30 days late; after that its stream decides nothing any more. */
const STREAM_DAYS = 35

export interface Retention {
  /** Seconds. */
  audit: number
  /** Seconds. */
  events: number
}

export async function deleteExpired(
  ctx: Ctx,
  retention: Retention,
  signal: AbortSignal,
): Promise<Record<string, number> | null> {
  const now = ctx.clock.now()
  const before = (date: Date) => sql`${date.toISOString()}::timestamptz`
  const audit = await deleteBatches(
    ctx,
    signal,
    'audit_log',
    sql`at < ${before(addSeconds(now, -retention.audit))}`,
  )
  // The newest event stays: the next number is counted from it (T12).
  const events = await deleteBatches(
    ctx,
    signal,
    'events',
    sql`at < ${before(addSeconds(now, -retention.events))} and number < (select max(number) from events)`,
  )
  const streams = await deleteBatches(
    ctx,
    signal,
    'report_streams',
    sql`updated_at < ${before(addDays(now, -STREAM_DAYS))}`,
  )
  const seats = await deleteBatches(ctx, signal, 'forgotten_seats', sql`lease_ends_at < ${before(now)}`)
  const answers = await deleteBatches(
    ctx,
    signal,
    'idempotency_keys',
    sql`created_at < ${before(addSeconds(now, -IDEMPOTENCY_LIFE))}`,
  )
  return audit + events + streams + seats + answers > 0 ? { audit, events, streams, seats, answers } : null
}

async function deleteBatches(
  { db }: Ctx,
  signal: AbortSignal,
  table: 'audit_log' | 'events' | 'report_streams' | 'forgotten_seats' | 'idempotency_keys',
  condition: SQL,
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
