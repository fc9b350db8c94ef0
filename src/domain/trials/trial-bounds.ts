// How often trials may be asked for. A stranger has no other limit on the licenses that he makes.
import { hmacSha256 } from '../../platform/hash.ts'
import { DAY_SECONDS, HOUR_SECONDS } from '../../platform/time.ts'
import type { Ctx } from '../kernel/context.ts'
import { type Bound, countUse } from './count-use.ts'

/** Each start tells whether an address had its trial, or uses it up: too few to go through a list of addresses. */
export const STARTS: Bound = {
  scope: 'trial_starts_of_address',
  window: HOUR_SECONDS,
  most: 10,
  detail: 'Too many trials were asked for from this address.',
}

export const CHECKS: Bound = {
  scope: 'trial_checks_of_address',
  window: HOUR_SECONDS,
  most: 120,
  detail: 'Too many questions about trials from this address.',
}

export const TRIALS: Bound = {
  scope: 'trials_of_product',
  window: DAY_SECONDS,
  most: 500,
  detail: 'This product has given away its trials of today.',
}

/** Counts one request of the caller's network, whose address is not stored. @throws Refusal `rate_limited` */
export async function countRequest(ctx: Ctx, bound: Bound): Promise<void> {
  await countUse(ctx.db, ctx, bound, hmacSha256(ctx.pepper, bound.scope, ctx.network ?? ''))
}
