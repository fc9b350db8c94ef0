// Deletes the streams that decide no duplicate any more. Keeps the mark by which it finds them.
import { sql } from 'drizzle-orm'
import { inChunks } from '../kernel/chunks.ts'
import type { Ctx } from '../kernel/context.ts'

/**
 * Deletes streams without a report for `days`, and returns how many. A stream that is due and was written meanwhile is
 * due again `days` after its last report; one that is being written is passed over.
 */
export async function forgetStreams(ctx: Ctx, days: number, signal: AbortSignal): Promise<number> {
  const now = sql`${ctx.clock.now().toISOString()}::timestamptz`
  let total = 0
  await inChunks(ctx, signal, async (most) => {
    const [done] = await ctx.db.execute<{ due: number; gone: number }>(sql`
      with due as materialized (
        select instance_key, boot_id, updated_at + ${days}::int * interval '1 day' as due_at from report_streams
        where forget_due_at <= ${now} order by forget_due_at limit ${most} for update skip locked
      ), gone as (
        delete from report_streams s using due d
        where s.instance_key = d.instance_key and s.boot_id = d.boot_id and d.due_at < ${now} returning 1
      ), moved as (
        update report_streams s set forget_due_at = greatest(d.due_at, ${now} + interval '1 second') from due d
        where s.instance_key = d.instance_key and s.boot_id = d.boot_id and d.due_at >= ${now}
      )
      select (select count(*)::int from due) as due, (select count(*)::int from gone) as gone`)
    total += Number(done?.gone)
    return Number(done?.due)
  })
  return total
}
