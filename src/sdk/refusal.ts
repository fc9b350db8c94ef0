// What a framework answers for a feature that is not granted: 402 with a body that explains itself (T13).
// Knows no framework.
import type { License } from './public/license.ts'

/** HTTP 402 Payment Required (RFC 9110, section 15.5.3). */
export const PAYMENT_REQUIRED = 402

/** Body of the 402 (softclient4es: `{error, feature, tier}`). */
export interface FeatureRefusal {
  error: 'feature_not_licensed'
  /** What was asked for. */
  feature: string
  /** The tier in force. */
  tier: string
  /** Why, as a code: `not_in_tier` where a license is in force and leaves the feature out, else why none is. */
  reason: string
  /** What to do next, for people. */
  fix: string
}

/** As much of a `License` as gating a feature takes. */
export type FeatureGate<F extends string = string> = Pick<
  License<F>,
  'has' | 'tier' | 'source' | 'reason' | 'explain'
>

/** Null where the feature is granted, which costs nothing but the look-up. Never throws. */
export function refuseFeature<F extends string>(license: FeatureGate<F>, feature: F): FeatureRefusal | null {
  if (license.has(feature)) return null
  const { tier, source } = license
  const reason = (source === 'community' ? license.reason : null) ?? 'not_in_tier'
  const todo = reason === 'not_in_tier' ? undefined : license.explain().todo[0]
  return {
    error: 'feature_not_licensed',
    feature,
    tier,
    reason,
    fix: todo ?? `Get a license that includes ${feature}.`,
  }
}
