// Marks the seats whose last lease ran out. A job's verb: it ends no seat, for a lapsed one is none any more by itself.
import { sql } from 'drizzle-orm'
import { inChunks } from '../kernel/chunks.ts'
import type { Ctx } from '../kernel/context.ts'

/**
 * Looks at each seat whose lease may have run out, in chunks, and returns how many had. A seat that was renewed
 * meanwhile is looked at again at its new end; one that is being written is passed over until the next run.
 */
export async function markLapsedSeats(ctx: Ctx, signal: AbortSignal): Promise<{ lapsed: number } | null> {
  const { db, clock } = ctx
  let lapsed = 0
  await inChunks(ctx, signal, async (most) => {
    const now = sql`${clock.now().toISOString()}::timestamptz`
    const [chunk] = await db.execute<{ due: number; lapsed: number }>(sql`
      with due as materialized (
        select instance_key, license_id, lease_ends_at from activations
        where ended_at is null and not lapsed and lapse_due_at <= ${now}
        order by lapse_due_at limit ${most} for no key update skip locked
      ), marked as (
        update activations a set lapsed = d.lease_ends_at <= ${now}, lapse_due_at = d.lease_ends_at
        from due d where a.instance_key = d.instance_key and a.license_id = d.license_id
      )
      select count(*)::int as due, (count(*) filter (where lease_ends_at <= ${now}))::int as lapsed from due`)
    lapsed += Number(chunk?.lapsed)
    return Number(chunk?.due)
  })
  return lapsed > 0 ? { lapsed } : null
}
