// Whether a change of a license's terms takes something from its customer. Pure.
import { effectiveRights, loweredLimits } from '../../license/limits.ts'
import type { LicenseFacts } from '../rights/license-facts.ts'

type Terms = Pick<
  LicenseFacts,
  | 'tier'
  | 'expiresAt'
  | 'graceDays'
  | 'seatLimit'
  | 'featuresAdded'
  | 'featuresRemoved'
  | 'limits'
  | 'fingerprint'
>

/**
 * A lower tier, an earlier end, a shorter grace, fewer seats, a feature less, a lower limit, or a fingerprint: every
 * other machine is refused.
 */
export function lowersTerms(before: Terms, after: Terms): boolean {
  const [had, has] = [effectiveRights(before.tier, before), effectiveRights(after.tier, after)]
  return (
    after.tier.rank < before.tier.rank ||
    isLess(after.expiresAt, before.expiresAt) ||
    after.graceDays < before.graceDays ||
    isLess(after.seatLimit, before.seatLimit) ||
    (after.fingerprint !== null && after.fingerprint !== before.fingerprint) ||
    had.features.some((feature) => !has.features.includes(feature)) ||
    loweredLimits(had.limits, has.limits).length > 0
  )
}

/** Null is without end. */
const isLess = (is: Date | number | null, was: Date | number | null): boolean =>
  is !== null && (was === null || is < was)
