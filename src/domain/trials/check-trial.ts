// Says whether a product offers trials. Anybody may ask, so the answer depends on the catalog alone: whether an
// address has had its trial, or belongs to a customer, is never told here. The start tells, at a price.
import { and, asc, eq, isNotNull } from 'drizzle-orm'
import type { TrialOffer, TrialQuery } from '../../contract/trials.schema.ts'
import { tiers } from '../../db/schema/index.ts'
import type { Ctx } from '../kernel/context.ts'
import { productByCode } from '../kernel/find-catalog.ts'
import { CHECKS, countRequest } from './trial-bounds.ts'

/** @throws Refusal `product_unknown`, `rate_limited` */
export async function checkTrial(ctx: Ctx, query: TrialQuery): Promise<TrialOffer> {
  await countRequest(ctx, CHECKS)
  const product = await productByCode(ctx.db, query.product)
  const found = await ctx.db
    .select({ tier: tiers.code, name: tiers.name, days: tiers.trialDays })
    .from(tiers)
    .where(and(eq(tiers.productId, product.id), isNotNull(tiers.trialDays)))
    .orderBy(asc(tiers.rank))
  const offered = found.map(({ tier, name, days }) => ({ tier, name, trial_duration_days: days ?? 0 }))
  const asked = query.tier === undefined ? offered[0] : offered.find(({ tier }) => tier === query.tier)
  return {
    eligible: asked !== undefined,
    has_trial: false,
    ...(asked ? {} : { reason: 'trial_not_offered' as const }),
    trial_duration_days: asked?.trial_duration_days ?? null,
    tiers: offered,
  }
}
