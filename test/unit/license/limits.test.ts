import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { effectiveRights, exceeds, limitOf, toQuotas } from '../../../src/license/limits.ts'

describe('a limit', () => {
  test('is exceeded by more than it allows, and never when unlimited', () => {
    expect(exceeds(3, 3)).toBe(false)
    expect(exceeds(3, 4)).toBe(true)
    expect(exceeds(0, 1)).toBe(true)
    expect(exceeds(-1, Number.MAX_SAFE_INTEGER)).toBe(false)
  })

  test('that is unlimited is −1 in limits and absent from quotas', () => {
    const limits = { max_agents: -1, max_users: 10, max_orgs: 0 }
    const quotas = toQuotas(limits)
    expect(quotas).toEqual({ max_users: 10, max_orgs: 0 })
    for (const name of Object.keys(limits)) expect(limitOf({ quotas }, name)).toBe(limitOf({ limits }, name))
  })

  test('that is not there is unlimited in quotas, and left to the default in limits', () => {
    expect(limitOf({ quotas: {} }, 'max_users')).toBe(-1)
    expect(limitOf({ limits: {} }, 'max_users')).toBeUndefined()
    expect(limitOf({ limits: {} }, 'constructor')).toBeUndefined()
  })
})

describe('effective rights', () => {
  const tier = { features: ['oidc', 'rbac'], limits: { max_agents: 100, max_users: 10 } }

  test("are those of the tier, plus added, minus removed, with the license's limits over the tier's", () => {
    const license = {
      featuresAdded: ['air_gap', 'oidc', 'beta'],
      featuresRemoved: ['rbac', 'beta', 'unknown'],
      limits: { max_users: -1, max_orgs: 2 },
    }
    expect(effectiveRights(tier, license)).toEqual({
      features: ['oidc', 'air_gap'],
      limits: { max_agents: 100, max_users: -1, max_orgs: 2 },
    })
  })

  test('never hold a removed feature, hold each one once, and leave what they were made of as it was', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd', '__proto__'))
    fc.assert(
      fc.property(names, names, names, (features, featuresAdded, featuresRemoved) => {
        const before = JSON.stringify([features, featuresAdded, featuresRemoved])
        const rights = effectiveRights(
          { features, limits: {} },
          { featuresAdded, featuresRemoved, limits: {} },
        )
        const wanted = [...features, ...featuresAdded].filter((name) => !featuresRemoved.includes(name))
        expect(rights.features.toSorted()).toEqual([...new Set(wanted)].toSorted())
        expect(JSON.stringify([features, featuresAdded, featuresRemoved])).toBe(before)
      }),
    )
  })
})
