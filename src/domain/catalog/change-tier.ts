// Changes what a tier means. Its code stays; its licenses follow at their next refresh.
import { eq, getTableColumns, sql } from 'drizzle-orm'
import type { TierChange } from '../../contract/admin-catalog.schema.ts'
import { tiers } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { notFound, type Tier, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { refuseTakenTier } from './taken-tier.ts'

const shown = {
  ...getTableColumns(tiers),
  product: sql<string>`(select p.code from products p where p.id = ${tiers.productId})`,
}

/** Members that are absent stay as they are. @throws Refusal `not_found`, or `conflict` when the rank is taken. */
export async function changeTier(ctx: Ctx, id: string, change: TierChange): Promise<Tier> {
  requireRole(ctx, 'owner')
  const tierId = uuidOf('tier', id, 'tier')
  const work = transaction(ctx.db, async (tx) => {
    const [changed] = await tx
      .update(tiers)
      .set({
        name: change.name,
        rank: change.rank,
        features: change.features,
        limits: change.limits,
        graceDays: change.grace_days,
        seatLimit: change.seat_limit,
        seatChurn: change.seat_churn,
        trialDays: change.trial_days,
        updatedAt: ctx.clock.now(),
      })
      .where(eq(tiers.id, tierId))
      .returning(shown)
    if (!changed) return notFound('tier')
    await recordChange(tx, ctx, {
      action: 'tier.change',
      subject: id,
      event: 'catalog.changed',
      details: change,
      scope: { productId: changed.productId },
    })
    return changed
  })
  return work.catch((error) => refuseTakenTier(error, change))
}
