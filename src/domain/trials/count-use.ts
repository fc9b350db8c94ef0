// Bounds on what strangers may ask for in a fixed window of time, shared by all processes. Knows nothing of trials.
import { sql } from 'drizzle-orm'
import type { Executor } from '../../db/client.ts'
import { fromUnixSeconds, unixSeconds } from '../../platform/time.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'

export interface Bound {
  /** Key of the counter's rows: never change it. */
  scope: string
  /** Seconds; windows begin at multiples of it. */
  window: number
  most: number
  /** What the caller is told when it is reached. */
  detail: string
}

/**
 * Counts one use. Within a transaction it counts only if that commits, and the others wait for it.
 * @throws Refusal `rate_limited` until the window is over.
 */
export async function countUse(db: Executor, ctx: Ctx, bound: Bound, key: string): Promise<void> {
  const second = unixSeconds(ctx.clock.now())
  const start = second - (second % bound.window)
  const counted = await db.execute(sql`
    insert into usage_counts as c (scope, key, window_start, count)
    values (${bound.scope}, ${key}, ${fromUnixSeconds(start).toISOString()}::timestamptz, 1)
    on conflict (scope, key, window_start) do update set count = c.count + 1 where c.count < ${bound.most}::int
    returning count`)
  if (counted.length > 0) return
  const retryAfter = start + bound.window - second
  throw new Refusal('rate_limited', bound.detail, {
    facts: { reason: bound.scope, limit: bound.most, window_seconds: bound.window },
    headers: { 'Retry-After': String(retryAfter) },
    fix: `Try again in ${retryAfter} s.`,
  })
}
