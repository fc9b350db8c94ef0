// Limits and features: what unlimited means, and what a tier and a license come to together. Pure, no enforcement.
import { UNLIMITED } from '../contract/catalog.ts'
import type { LicenseClaims, LimitValues } from '../contract/claims.ts'

/** Whether `value` is more than `limit` allows; −1 allows everything. */
export function exceeds(limit: number, value: number): boolean {
  return limit !== UNLIMITED && value > limit
}

/** The `quotas` claim for these limits: what is unlimited is left out. */
export function toQuotas(limits: Readonly<LimitValues>): LimitValues {
  return Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== UNLIMITED))
}

/**
 * A limit by name, −1 for unlimited. Absent from `quotas` is unlimited; absent from `limits` is undefined: the license
 * says nothing of it, and the product's default counts.
 */
export function limitOf(claims: Pick<LicenseClaims, 'limits' | 'quotas'>, name: string): number | undefined {
  const values = claims.limits ?? claims.quotas
  if (values && Object.hasOwn(values, name)) return values[name]
  return claims.quotas ? UNLIMITED : undefined
}

export interface TierRights {
  features: readonly string[]
  limits: Readonly<LimitValues>
}

/** What a license changes in its tier's rights. */
export interface LicenseChanges {
  featuresAdded: readonly string[]
  featuresRemoved: readonly string[]
  limits: Readonly<LimitValues>
}

export interface Rights {
  features: string[]
  limits: LimitValues
}

/**
 * Features of the tier, plus added, minus removed (removed wins), each once, the tier's order first. Limits of the
 * tier, those of the license over them.
 */
export function effectiveRights(tier: TierRights, license: LicenseChanges): Rights {
  const removed = new Set(license.featuresRemoved)
  const features = new Set([...tier.features, ...license.featuresAdded])
  return {
    features: [...features].filter((feature) => !removed.has(feature)),
    limits: Object.fromEntries([...Object.entries(tier.limits), ...Object.entries(license.limits)]),
  }
}

export interface LimitChange {
  limit: string
  before: number
  /** Null: no longer granted. */
  after: number | null
}

/** The limits of `before` that are lower in `after`, or no longer there. */
export function loweredLimits(before: Readonly<LimitValues>, after: Readonly<LimitValues>): LimitChange[] {
  return Object.entries(before).flatMap(([limit, was]): LimitChange[] => {
    const is = after[limit]
    if (is === undefined) return [{ limit, before: was, after: null }]
    const lower = is >= 0 && (was < 0 || exceeds(is, was))
    return lower ? [{ limit, before: was, after: is }] : []
  })
}
