import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cameleerLimits, defineLimits } from '../../../src/license/default-limits.ts'
import {
  capOnWire,
  capsOfClaims,
  capsOfEnvelope,
  effectiveLimits,
  type LicensedLimits,
} from '../../../src/license/effective-limits.ts'
import { LICENSE_STATES } from '../../../src/license/state.ts'

const UNLIMITED = Number.POSITIVE_INFINITY

describe('the default tier', () => {
  test('is what the vendor writes down, with −1 for unlimited, and cannot be changed', () => {
    const limits = defineLimits({ max_apps: 3, max_users: 0, max_agents: -1 })
    expect(limits).toEqual({ max_apps: 3, max_users: 0, max_agents: UNLIMITED })
    expect(Object.isFrozen(limits)).toBe(true)
    // @ts-expect-error a misspelt limit does not compile
    expect(limits.max_app).toBeUndefined()
  })

  test.each([1.5, Number.NaN, -2, Number.NEGATIVE_INFINITY, 2 ** 60])('does not take %d', (value) => {
    expect(() => defineLimits({ max_apps: value })).toThrow(TypeError)
  })

  test.each(['', '__proto__', 'max apps', '1st'])('does not take the name "%s"', (name) => {
    expect(() => defineLimits(Object.fromEntries([[name, 1]]))).toThrow(TypeError)
  })

  test('of the reference has thirteen limits', () => {
    expect(cameleerLimits).toEqual({
      max_environments: 1,
      max_apps: 3,
      max_agents: 5,
      max_users: 3,
      max_outbound_connections: 1,
      max_alert_rules: 2,
      max_total_cpu_millis: 2000,
      max_total_memory_mb: 2048,
      max_total_replicas: 5,
      max_execution_retention_days: 1,
      max_log_retention_days: 1,
      max_metric_retention_days: 1,
      max_jar_retention_count: 3,
    })
  })
})

describe('the limits in force', () => {
  const defaults = defineLimits({ max_apps: 3, max_users: 3 })
  const license: LicensedLimits = {
    limits: capsOfEnvelope({ max_apps: 50, max_agents: 2_147_483_647 }),
    unnamed: 'default',
  }

  test.each(['ACTIVE', 'GRACE'] as const)('are those of the license over the defaults in %s', (state) => {
    expect(effectiveLimits(license, defaults, state)).toEqual({
      max_apps: { cap: 50, source: 'license' },
      max_users: { cap: 3, source: 'default' },
      max_agents: { cap: UNLIMITED, source: 'license' },
    })
  })

  test.each(['ABSENT', 'EXPIRED', 'INVALID'] as const)('are the defaults alone in %s', (state) => {
    expect(effectiveLimits(license, defaults, state)).toEqual({
      max_apps: { cap: 3, source: 'default' },
      max_users: { cap: 3, source: 'default' },
    })
  })

  test('are named by their source also where license and default say the same', () => {
    const same = effectiveLimits({ ...license, limits: { max_apps: 3 } }, defaults, 'ACTIVE')
    expect(same.max_apps).toEqual({ cap: 3, source: 'license' })
  })

  test('are unlimited where a license with quotas is silent', () => {
    const quotas: LicensedLimits = { limits: { max_apps: 5 }, unnamed: 'unlimited' }
    expect(effectiveLimits(quotas, defaults, 'ACTIVE')).toEqual({
      max_apps: { cap: 5, source: 'license' },
      max_users: { cap: UNLIMITED, source: 'license' },
    })
    expect(effectiveLimits(quotas, defaults, 'EXPIRED').max_users).toEqual({ cap: 3, source: 'default' })
  })

  test('hold each name of either side once, and nothing of an object’s own', () => {
    const limits = fc.dictionary(fc.constantFrom('max_apps', 'max_a', 'constructor', 'toString'), fc.nat())
    fc.assert(
      fc.property(limits, limits, fc.constantFrom(...LICENSE_STATES), (given, own, state) => {
        const found = effectiveLimits({ limits: given, unnamed: 'default' }, defineLimits(own), state)
        const counts = state === 'ACTIVE' || state === 'GRACE'
        const names = new Set([...Object.keys(own), ...(counts ? Object.keys(given) : [])])
        expect(new Set(Object.keys(found))).toEqual(names)
        for (const name of names) {
          const source = counts && Object.hasOwn(given, name) ? 'license' : 'default'
          expect(found[name]).toEqual({ cap: (source === 'license' ? given : own)[name], source })
        }
      }),
    )
  })
})

test('unlimited is 2147483647 in an envelope and −1 elsewhere; −1 in an envelope allows nothing', () => {
  expect(capsOfEnvelope({ a: 2_147_483_647, b: -1, c: 7, d: 0 })).toEqual({ a: UNLIMITED, b: 0, c: 7, d: 0 })
  expect(capsOfClaims({ a: 2_147_483_647, b: -1, c: 7, d: 0 })).toEqual({
    a: 2_147_483_647,
    b: UNLIMITED,
    c: 7,
    d: 0,
  })
  expect([UNLIMITED, 7, 0].map(capOnWire)).toEqual([-1, 7, 0])
})
