// The closed list of anomaly types, and how grave each is. Plain constants: the rules are in domain/anomalies.

export const ANOMALY_SEVERITIES = ['low', 'medium', 'high'] as const
export type AnomalySeverity = (typeof ANOMALY_SEVERITIES)[number]

/**
 * Keldris' five, `instance_cloned` of rule T5, `relay_cloned`, which is about a relay, and `fleet_silent`, which is about
 * all instances of a product.
 */
export const ANOMALY_TYPES = [
  'tier_mismatch',
  'no_entitlement_premium_usage',
  'unlicensed_premium_usage',
  'limit_exceeded',
  'stale_instance',
  'instance_cloned',
  'relay_cloned',
  'fleet_silent',
] as const
export type AnomalyType = (typeof ANOMALY_TYPES)[number]

export const ANOMALY_SEVERITY = {
  tier_mismatch: 'high',
  no_entitlement_premium_usage: 'high',
  unlicensed_premium_usage: 'high',
  limit_exceeded: 'medium',
  stale_instance: 'low',
  instance_cloned: 'high',
  relay_cloned: 'high',
  fleet_silent: 'high',
} as const satisfies Record<AnomalyType, AnomalySeverity>
