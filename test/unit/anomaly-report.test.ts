// What one report gives rise to, whatever it says (T11).
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ANOMALY_SEVERITY } from '../../src/contract/anomalies.ts'
import { type AnomalyFacts, judgeReport, limitExceeded } from '../../src/domain/anomalies/rules.ts'
import { ENTERPRISE, FREE, PRO, SILENT } from '../support/keldris-facts.ts'

const types = (facts: Partial<AnomalyFacts>) => judgeReport({ ...SILENT, ...facts }).map((f) => f.type)

describe('a report', () => {
  test('that says nothing accuses nobody', () => {
    expect(types({})).toEqual([])
  })

  test('of a licensed instance within its rights accuses nobody', () => {
    const rights = { serverTier: PRO, limits: PRO.limits, reportedTier: 'pro', hasSeatWithinGrace: true }
    const used = { featureUsage: PRO.features, metrics: { agent_count: 100, user_count: 10, org_count: 3 } }
    expect(types({ ...rights, ...used, hasValidEntitlement: true })).toEqual([])
  })

  test('of a free instance that says enterprise and uses premium features accuses it of each', () => {
    const claims = { reportedTier: 'enterprise', hasValidEntitlement: false, featureUsage: ['oidc'] }
    expect(types({ ...claims, metrics: { agent_count: 4 } })).toEqual([
      'tier_mismatch',
      'no_entitlement_premium_usage',
      'unlicensed_premium_usage',
      'limit_exceeded',
    ])
  })

  const name = fc.oneof(fc.constantFrom('backup', 'oidc', 'rbac', '__proto__', 'constructor'), fc.string())
  const facts = fc.record({
    serverTier: fc.constantFrom(FREE, PRO, ENTERPRISE),
    tiers: fc.subarray([FREE, PRO, ENTERPRISE]),
    limits: fc.dictionary(
      fc.constantFrom('max_agents', 'max_users', 'max_orgs'),
      fc.integer({ min: -1, max: 5 }),
    ),
    hasSeatWithinGrace: fc.boolean(),
    metricMap: fc.constant(SILENT.metricMap),
  })
  const said = fc.record({
    reportedTier: fc.option(fc.oneof(fc.constantFrom('free', 'pro', 'enterprise'), fc.string()), {
      nil: undefined,
    }),
    hasValidEntitlement: fc.option(fc.boolean(), { nil: undefined }),
    featureUsage: fc.array(name, { maxLength: 60 }),
    metrics: fc.dictionary(
      fc.constantFrom('agent_count', 'user_count', 'org_count', 'uptime_hours'),
      fc.double(),
    ),
  })

  test('that says nothing accuses nobody, whatever the server knows', () => {
    const nothing = { featureUsage: [], metrics: {} }
    fc.assert(
      fc.property(facts, (known) => {
        expect(judgeReport({ ...known, ...nothing })).toEqual([])
      }),
    )
  })

  test('never exceeds what is unlimited', () => {
    const limits = { max_agents: -1, max_users: -1, max_orgs: -1 }
    fc.assert(
      fc.property(facts, said, (known, report) => {
        expect(limitExceeded({ ...known, ...report, limits })).toBeNull()
      }),
    )
  })

  test('gives each type once at most, with small evidence, whatever it says', () => {
    fc.assert(
      fc.property(facts, said, (known, report) => {
        const findings = judgeReport({ ...known, ...report })
        expect(new Set(findings.map((f) => f.type)).size).toBe(findings.length)
        expect(JSON.stringify(findings).length).toBeLessThan(4096)
        for (const { type, severity } of findings) expect(severity).toBe(ANOMALY_SEVERITY[type])
      }),
    )
  })
})
