import { describe, expect, test } from 'vitest'
import { LICENSE_TYP } from '../../../src/contract/claims.ts'
import { type LicenseJwtExpectation, verifyLicenseJwt } from '../../../src/license/license-jwt.ts'
import { trustKeys } from '../../../src/license/trusted-keys.ts'
import {
  INSTANCE,
  ISSUER,
  licenseClaims,
  makePair,
  NOW,
  nodeJws,
  PRODUCT,
  trust,
  without,
} from './fixtures.ts'

const DAY = 86_400
const pair = makePair()
const key = await trust(pair, { use: 'license' })
const token = (claims: unknown) => nodeJws(pair, { alg: 'EdDSA', typ: LICENSE_TYP, kid: key.kid }, claims)
const expected: LicenseJwtExpectation = {
  issuer: ISSUER,
  product: PRODUCT,
  instanceId: INSTANCE,
  keys: trustKeys([key]),
  acceptRetired: false,
  age: 'unexpired',
  now: NOW,
}
const outcome = async (claims: unknown, changes: Partial<LicenseJwtExpectation> = {}) => {
  const result = await verifyLicenseJwt(token(claims), { ...expected, ...changes })
  return result.ok ? 'ok' : [result.reason, result.detail].filter(Boolean).join(' ')
}

describe('a license JWT', () => {
  test('gives its claims, and leaves out those it does not know', async () => {
    const result = await verifyLicenseJwt(token({ ...licenseClaims, colour: 'red' }), expected)
    expect(result).toMatchObject({ ok: true, header: { kid: key.kid, typ: LICENSE_TYP } })
    expect(result.ok && result.claims).toEqual(licenseClaims)
  })

  test('carries its limits under limits or quotas, and under exactly one of them', async () => {
    const bare = without(licenseClaims, 'limits')
    expect(await outcome({ ...bare, quotas: { queries: 5 } })).toBe('ok')
    expect(await outcome({ ...bare, quotas: { queries: -1 } })).toBe('bad_member quotas')
    expect(await outcome({ ...bare, limits: { agents: -2 } })).toBe('bad_member limits')
    expect(await outcome(bare)).toBe('missing_member limits')
    expect(await outcome({ ...licenseClaims, quotas: {} })).toBe('forbidden_member quotas')
  })

  test.each(Object.keys(without(licenseClaims, 'limits')).slice(0, 9).concat('grace_days'))(
    'is refused without %s',
    async (name) => {
      expect(await outcome(without(licenseClaims, name))).toMatch(/^(missing_member|wrong_audience)/)
    },
  )

  test.each([
    'license_exp',
    'in_grace',
    'instance_id',
    'act',
    'org_name',
    'trial',
    'refresh_url',
    'tenant_id',
    'cred',
  ])('may do without %s', async (name) => {
    expect(await outcome(without(licenseClaims, name))).toBe('ok')
  })

  test.each(Object.keys(licenseClaims))('is refused when %s is of the wrong kind', async (name) => {
    for (const value of [null, {}, [1], Number.MAX_VALUE, -1.5, '\ud800']) {
      const isValid = name === 'limits' && JSON.stringify(value) === '{}'
      expect((await outcome({ ...licenseClaims, [name]: value })) === 'ok').toBe(isValid)
    }
  })

  test.each(['nonce', 'status', 'action'])(
    'is refused with %s, which belongs to a directive',
    async (name) => {
      for (const value of [null, '', 'none']) {
        expect(await outcome({ ...licenseClaims, [name]: value })).toBe(`forbidden_member ${name}`)
      }
    },
  )

  test.each([
    ['wrong_issuer', { ...licenseClaims, iss: `${ISSUER}/` }],
    ['wrong_audience', { ...licenseClaims, aud: 'other' }],
    ['wrong_audience', { ...licenseClaims, aud: [PRODUCT] }],
    ['wrong_instance', { ...licenseClaims, instance_id: 'test-002' }],
    ['bad_member exp', { ...licenseClaims, exp: NOW - 1 }],
    ['bad_member instance_id', { ...licenseClaims, instance_id: '' }],
  ])('is refused as %s', async (why, claims) => {
    expect(await outcome(claims)).toBe(why)
  })

  test('that names no instance serves any, and a caller that names none takes any', async () => {
    expect(await outcome(without(licenseClaims, 'instance_id'))).toBe('ok')
    const { instanceId: _, ...anyInstance } = expected
    const result = await verifyLicenseJwt(token({ ...licenseClaims, instance_id: 'test-002' }), anyInstance)
    expect(result.ok).toBe(true)
  })

  test('issued in what this clock takes for the future holds: a clock that runs behind is no forgery', async () => {
    expect(await outcome(licenseClaims, { now: NOW - 30 * DAY })).toBe('ok')
  })
})

describe('the age of a license JWT', () => {
  const { exp } = licenseClaims

  test('unexpired: to the second before exp', async () => {
    expect(await outcome(licenseClaims, { now: exp - 1 })).toBe('ok')
    expect(await outcome(licenseClaims, { now: exp })).toBe('expired')
    expect(await outcome(licenseClaims, { now: exp + 1 })).toBe('expired')
  })

  test('unexpired, with a tolerance of seconds: that many later', async () => {
    expect(await outcome(licenseClaims, { now: exp + 4, clockTolerance: 5 })).toBe('ok')
    expect(await outcome(licenseClaims, { now: exp + 5, clockTolerance: 5 })).toBe('expired')
  })

  test('within grace: through exp + grace_days', async () => {
    const end = exp + 30 * DAY
    expect(await outcome(licenseClaims, { age: 'within_grace', now: end })).toBe('ok')
    expect(await outcome(licenseClaims, { age: 'within_grace', now: end + 1 })).toBe('expired')
    expect(await outcome(licenseClaims, { age: 'within_grace', now: end + 1, clockTolerance: 1 })).toBe('ok')
  })

  test('within grace: never past license_exp + grace_days', async () => {
    const claims = { ...licenseClaims, license_exp: exp - 3600 }
    const end = exp - 3600 + 30 * DAY
    expect(await outcome(claims, { age: 'within_grace', now: end })).toBe('ok')
    expect(await outcome(claims, { age: 'within_grace', now: end + 1 })).toBe('expired')
  })

  test('any: also long after', async () => {
    expect(await outcome(licenseClaims, { age: 'any', now: exp + 3650 * DAY })).toBe('ok')
  })

  test('under a clock that is no number: expired, not valid for ever', async () => {
    expect(await outcome(licenseClaims, { now: Number.NaN })).toBe('expired')
    expect(await outcome(licenseClaims, { age: 'within_grace', now: Number.NaN })).toBe('expired')
  })
})
