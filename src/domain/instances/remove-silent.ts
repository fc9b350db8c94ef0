// Forgets instances that nobody has licensed and that have been silent for 30 days, with their streams and anomalies.
// Their reports leave with the retention. What an admin took from an instance stays, and so does one with a seat.
import { sql } from 'drizzle-orm'
import { products } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { addDays } from '../../platform/time.ts'
import { inChunks } from '../kernel/chunks.ts'
import type { Ctx } from '../kernel/context.ts'

const SILENT_DAYS = 30

export async function removeSilentInstances(
  ctx: Ctx,
  signal: AbortSignal,
): Promise<Record<string, number> | null> {
  let removed = 0
  for (const { id } of await ctx.db.select({ id: products.id }).from(products)) {
    removed += await inChunks(ctx, signal, (most) => removeBatch(ctx, id, most))
  }
  return removed > 0 ? { removed } : null
}

/** `seen_mark` is never later than `last_seen_at`, and the index holds it. */
async function removeBatch(ctx: Ctx, productId: string, most: number): Promise<number> {
  const before = addDays(ctx.clock.now(), -SILENT_DAYS).toISOString()
  const [gone] = await transaction(ctx.db, (tx) =>
    // An instance that is being heard is locked, and passed over.
    tx.execute<{ found: number }>(sql`
      with silent as (
        select instance_key from instances i
        where product_id = ${productId}::uuid and proven_license_id is null
          and seen_mark < ${before}::timestamptz and last_seen_at < ${before}::timestamptz and action = 'none'
          and not exists (select from activations a where a.instance_key = i.instance_key)
        limit ${most} for update skip locked
      ), stream as (
        delete from report_streams where instance_key in (select instance_key from silent)
      ), anomaly as (
        delete from anomalies where instance_key in (select instance_key from silent)
      ), instance as (
        delete from instances where instance_key in (select instance_key from silent) returning 1
      )
      select count(*)::int as found from instance`),
  )
  return Number(gone?.found)
}
