// Creates a tier of a product. Its rank decides which of two tiers is above.
import type { NewTier } from '../../contract/admin-catalog.schema.ts'
import { tiers } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { productByCode, type Tier } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { refuseTakenTier } from './taken-tier.ts'

/** @throws Refusal `product_unknown`, or `conflict` when the product has a tier of this code or rank. */
export async function createTier(ctx: Ctx, input: NewTier): Promise<Tier> {
  requireRole(ctx, 'owner')
  const now = ctx.clock.now()
  const work = transaction(ctx.db, async (tx) => {
    const product = await productByCode(tx, input.product)
    const values = {
      id: uuidv7(now, ctx.random),
      productId: product.id,
      code: input.code,
      name: input.name,
      rank: input.rank,
      features: input.features,
      limits: input.limits,
      graceDays: input.grace_days,
      seatLimit: input.seat_limit,
      seatChurn: input.seat_churn,
      trialDays: input.trial_days,
      createdAt: now,
      updatedAt: now,
    }
    await tx.insert(tiers).values(values)
    await recordChange(tx, ctx, {
      action: 'tier.create',
      subject: publicId('tier', values.id),
      event: 'catalog.changed',
      details: input,
      scope: { productId: product.id },
    })
    return { ...values, product: product.code }
  })
  return work.catch((error) => refuseTakenTier(error, input))
}
