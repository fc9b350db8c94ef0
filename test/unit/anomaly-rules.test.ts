// Who is accused of what, rule by rule, and who is not (T11; seed: heartbeat testing guide).
import { describe, expect, test } from 'vitest'
import { ANOMALY_SEVERITIES, ANOMALY_SEVERITY, ANOMALY_TYPES } from '../../src/contract/anomalies.ts'
import {
  limitExceeded,
  noEntitlementPremiumUsage,
  tierMismatch,
  unlicensedPremiumUsage,
} from '../../src/domain/anomalies/rules.ts'
import { ENTERPRISE, FREE, PRO, SILENT } from '../support/keldris-facts.ts'

describe('the closed lists', () => {
  test('give each anomaly type one severity', () => {
    expect(Object.keys(ANOMALY_SEVERITY)).toEqual([...ANOMALY_TYPES])
    for (const type of ANOMALY_TYPES) expect(ANOMALY_SEVERITIES).toContain(ANOMALY_SEVERITY[type])
  })

  test('are the severities that Keldris knows', () => {
    expect(ANOMALY_SEVERITY).toEqual({
      no_entitlement_premium_usage: 'high',
      tier_mismatch: 'high',
      unlicensed_premium_usage: 'high',
      limit_exceeded: 'medium',
      stale_instance: 'low',
      instance_cloned: 'high',
      relay_cloned: 'high',
      fleet_silent: 'high',
    })
  })
})

describe('tier_mismatch', () => {
  test.each([
    [FREE, 'pro', true],
    [FREE, 'enterprise', true],
    [PRO, 'enterprise', true],
    [FREE, 'free', false],
    [PRO, 'pro', false],
    [PRO, 'free', false],
    [ENTERPRISE, 'pro', false],
    [FREE, 'a tier that nobody knows', false],
    [FREE, '', false],
    [FREE, 'constructor', false],
    [FREE, undefined, false],
  ])('granted %o, reported %s: %s', (serverTier, reportedTier, accused) => {
    expect(tierMismatch({ ...SILENT, serverTier, reportedTier }) !== null).toBe(accused)
  })

  test('shows both tiers', () => {
    expect(tierMismatch({ ...SILENT, reportedTier: 'pro' })).toEqual({
      type: 'tier_mismatch',
      severity: 'high',
      evidence: { reported_tier: 'pro', granted_tier: 'free' },
    })
  })
})

describe('no_entitlement_premium_usage', () => {
  test.each([
    [false, ['oidc'], true],
    [false, ['rbac', 'backup'], true],
    [true, ['oidc'], false],
    [undefined, ['oidc'], false],
    [false, ['backup'], false],
    [false, ['a feature that nobody knows'], false],
    [false, ['constructor'], false],
    [false, [], false],
  ])('entitlement %s, used %j: %s', (hasValidEntitlement, featureUsage, accused) => {
    const facts = { ...SILENT, serverTier: PRO, hasSeatWithinGrace: true, hasValidEntitlement, featureUsage }
    expect(noEntitlementPremiumUsage(facts) !== null).toBe(accused)
  })

  test('shows the premium features, each once, and the granted tier', () => {
    const featureUsage = ['rbac', 'oidc', 'backup', 'oidc', 'unknown']
    expect(noEntitlementPremiumUsage({ ...SILENT, hasValidEntitlement: false, featureUsage })).toEqual({
      type: 'no_entitlement_premium_usage',
      severity: 'high',
      evidence: { features: ['oidc', 'rbac'], count: 2, granted_tier: 'free' },
    })
  })
})

describe('unlicensed_premium_usage', () => {
  test.each([
    [false, ['oidc'], true],
    [true, ['oidc'], false],
    [false, ['backup'], false],
    [false, ['a feature that nobody knows'], false],
    [false, [], false],
  ])('seat within grace %s, used %j: %s', (hasSeatWithinGrace, featureUsage, accused) => {
    const facts = { ...SILENT, hasValidEntitlement: true, hasSeatWithinGrace, featureUsage }
    expect(unlicensedPremiumUsage(facts) !== null).toBe(accused)
  })

  test('lists at most 20 features and counts them all', () => {
    const features = Array.from({ length: 50 }, (_, i) => `f${String(i).padStart(2, '0')}`)
    const tiers = [FREE, { ...PRO, features }]
    expect(unlicensedPremiumUsage({ ...SILENT, tiers, featureUsage: features })?.evidence).toEqual({
      features: features.slice(0, 20),
      count: 50,
    })
  })

  test('knows no premium feature in a product with one tier, or none', () => {
    const featureUsage = ['oidc', 'rbac']
    expect(unlicensedPremiumUsage({ ...SILENT, tiers: [PRO], featureUsage })).toBeNull()
    expect(unlicensedPremiumUsage({ ...SILENT, tiers: [], featureUsage })).toBeNull()
  })
})

describe('limit_exceeded', () => {
  test.each([
    [{ agent_count: 3 }, { max_agents: 3 }, false],
    [{ agent_count: 4 }, { max_agents: 3 }, true],
    [{ agent_count: 3.5 }, { max_agents: 3 }, true],
    [{ agent_count: 1 }, { max_agents: 0 }, true],
    [{ agent_count: 0 }, { max_agents: 0 }, false],
    [{ agent_count: 1e9 }, { max_agents: -1 }, false],
    [{ agent_count: 1e9 }, {}, false],
    [{ user_count: 4 }, { max_users: 3 }, true],
    [{ org_count: 2 }, { max_orgs: 1 }, true],
    [{ uptime_hours: 1e9 }, { max_agents: 0 }, false],
    [{ max_agents: 9 }, { max_agents: 0 }, false],
    [{ agent_count: Number.NaN }, { max_agents: 0 }, false],
    [{ agent_count: Number.POSITIVE_INFINITY }, { max_agents: 0 }, false],
  ] as [Record<string, number>, Record<string, number>, boolean][])(
    'metrics %j under limits %j: %s',
    (metrics, limits, accused) => {
      expect(limitExceeded({ ...SILENT, metrics, limits }) !== null).toBe(accused)
    },
  )

  test('shows each exceeded metric with its limit, sorted', () => {
    const metrics = { user_count: 5, agent_count: 9, org_count: 1 }
    expect(limitExceeded({ ...SILENT, metrics })).toEqual({
      type: 'limit_exceeded',
      severity: 'medium',
      evidence: {
        exceeded: [
          { metric: 'agent_count', value: 9, limit: 'max_agents', allowed: 3 },
          { metric: 'user_count', value: 5, limit: 'max_users', allowed: 3 },
        ],
        count: 2,
      },
    })
  })

  test('compares counters as reported', () => {
    const metricMap = { queries_total: { kind: 'counter', limit: 'max_queries' } } as const
    const facts = { ...SILENT, metricMap, limits: { max_queries: 100 } }
    expect(limitExceeded({ ...facts, metrics: { queries_total: 100 } })).toBeNull()
    expect(limitExceeded({ ...facts, metrics: { queries_total: 101 } })).not.toBeNull()
  })

  test('takes no inherited member for a metric or a limit', () => {
    const metricMap = { constructor: { kind: 'gauge', limit: 'toString' } } as const
    expect(limitExceeded({ ...SILENT, metricMap, metrics: {}, limits: {} })).toBeNull()
  })

  test('lists at most 20 metrics and counts them all', () => {
    const names = Array.from({ length: 30 }, (_, i) => `m${i}`)
    const metricMap = Object.fromEntries(names.map((n) => [n, { kind: 'gauge' as const, limit: 'max' }]))
    const metrics = Object.fromEntries(names.map((n) => [n, 1]))
    const evidence = limitExceeded({ ...SILENT, metricMap, metrics, limits: { max: 0 } })?.evidence
    expect(evidence?.exceeded).toHaveLength(20)
    expect(evidence?.count).toBe(30)
  })
})
