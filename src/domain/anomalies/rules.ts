// What a report must say for its instance to be accused, rule by rule (seed: heartbeat testing guide; T11).
// Pure. A rule that lacks a fact, or meets a name that the product does not know, stays silent.
import { ANOMALY_SEVERITY, type AnomalySeverity, type AnomalyType } from '../../contract/anomalies.ts'
import type { MetricMap } from '../../contract/catalog.ts'

export interface TierFacts {
  readonly code: string
  readonly rank: number
  readonly features: readonly string[]
  readonly limits: Readonly<Record<string, number>>
}

/** What is known when a report arrives. Absent members were not reported. */
export interface AnomalyFacts {
  /** The highest tier granted to this instance and still within lease and grace, else the lowest. */
  readonly serverTier: { readonly code: string; readonly rank: number }
  /** All tiers of the product. */
  readonly tiers: readonly TierFacts[]
  readonly reportedTier?: string | undefined
  readonly hasValidEntitlement?: boolean | undefined
  /** Names of the features that were used. */
  readonly featureUsage: readonly string[]
  readonly metrics: Readonly<Record<string, number>>
  /** The limits in force; a negative one is unlimited, a missing one no limit. */
  readonly limits: Readonly<Record<string, number>>
  /** Whether the instance holds a seat, or held one whose grace still runs. */
  readonly hasSeatWithinGrace: boolean
  readonly metricMap: Readonly<MetricMap>
}

export interface Finding {
  readonly type: AnomalyType
  readonly severity: AnomalySeverity
  /** Small, and made of names that the catalog knows. */
  readonly evidence: Readonly<Record<string, unknown>>
}

type Rule = (facts: AnomalyFacts) => Finding | null

/** How many names or metrics a piece of evidence lists at most; the count beside them is of all. */
export const EVIDENCE_ITEMS = 20

/** The reported tier ranks above the granted one. A code that the product does not know has no rank. */
export const tierMismatch: Rule = ({ tiers, reportedTier, serverTier }) => {
  const reported = tiers.find((tier) => tier.code === reportedTier)
  if (!reported || reported.rank <= serverTier.rank) return null
  return finding('tier_mismatch', { reported_tier: reported.code, granted_tier: serverTier.code })
}

/** A premium feature was used by an instance that says itself that it has no valid entitlement. */
export const noEntitlementPremiumUsage: Rule = (facts) => {
  const used = premiumUsed(facts)
  if (facts.hasValidEntitlement !== false || used.length === 0) return null
  return finding('no_entitlement_premium_usage', {
    ...listed('features', used),
    granted_tier: facts.serverTier.code,
  })
}

/** A premium feature was used by an instance without a seat, and without one in grace. */
export const unlicensedPremiumUsage: Rule = (facts) => {
  const used = premiumUsed(facts)
  if (facts.hasSeatWithinGrace || used.length === 0) return null
  return finding('unlicensed_premium_usage', listed('features', used))
}

/**
 * A metric is above the limit that the product's metric map counts it against. A counter is compared as it was
 * reported: the total since the instance's start, which is never more than it used in all.
 */
export const limitExceeded: Rule = ({ metrics, limits, metricMap }) => {
  const exceeded = Object.entries(metricMap)
    .flatMap(([metric, { limit }]) => {
      const allowed = limit === undefined ? undefined : limits[limit]
      const value = metrics[metric]
      if (limit === undefined || allowed === undefined || value === undefined) return []
      // Not finite is also what a record inherits under names like `constructor`.
      return allowed >= 0 && Number.isFinite(value) && value > allowed
        ? [{ metric, value, limit, allowed }]
        : []
    })
    .sort((a, b) => (a.metric < b.metric ? -1 : 1))
  return exceeded.length === 0 ? null : finding('limit_exceeded', listed('exceeded', exceeded))
}

const REPORT_RULES: readonly Rule[] = [
  tierMismatch,
  noEntitlementPremiumUsage,
  unlicensedPremiumUsage,
  limitExceeded,
]

/** All that a report gives rise to, at most one finding of each type. */
export function judgeReport(facts: AnomalyFacts): Finding[] {
  return REPORT_RULES.flatMap((rule) => rule(facts) ?? [])
}

/** The used features that some tier has and the lowest has not, sorted. Unknown names are not premium. */
function premiumUsed({ tiers, featureUsage }: AnomalyFacts): string[] {
  const lowestRank = Math.min(...tiers.map((tier) => tier.rank))
  const free = new Set(tiers.filter((tier) => tier.rank === lowestRank).flatMap((tier) => tier.features))
  const sold = new Set(tiers.flatMap((tier) => tier.features))
  return [...new Set(featureUsage)].filter((name) => sold.has(name) && !free.has(name)).sort()
}

function listed(name: 'features' | 'exceeded', items: readonly unknown[]): Record<string, unknown> {
  return { [name]: items.slice(0, EVIDENCE_ITEMS), count: items.length }
}

function finding(type: AnomalyType, evidence: Record<string, unknown>): Finding {
  return { type, severity: ANOMALY_SEVERITY[type], evidence }
}
