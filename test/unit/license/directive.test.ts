import { describe, expect, test } from 'vitest'
import { ACTIONS, DIRECTIVE_STATUSES, DIRECTIVE_TYP } from '../../../src/contract/claims.ts'
import { type DirectiveExpectation, takesAway, verifyDirective } from '../../../src/license/directive.ts'
import { trustKeys } from '../../../src/license/trusted-keys.ts'
import {
  directiveClaims,
  INSTANCE,
  ISSUER,
  makePair,
  NONCE,
  NOW,
  nodeJws,
  PRODUCT,
  trust,
  without,
} from './fixtures.ts'

const pair = makePair()
const key = await trust(pair, { use: 'control' })
const expected: DirectiveExpectation = {
  issuer: ISSUER,
  product: PRODUCT,
  instanceId: INSTANCE,
  nonce: NONCE,
  keys: trustKeys([key]),
  mayTake: true,
}
const token = (claims: unknown) => nodeJws(pair, { alg: 'EdDSA', typ: DIRECTIVE_TYP, kid: key.kid }, claims)
const outcome = async (claims: unknown, changes: Partial<DirectiveExpectation> = {}) => {
  const result = await verifyDirective(token(claims), { ...expected, ...changes })
  return result.ok ? 'ok' : [result.reason, result.detail].filter(Boolean).join(' ')
}

describe('a directive', () => {
  test('gives its claims', async () => {
    const result = await verifyDirective(token(directiveClaims), expected)
    expect(result.ok && result.claims).toEqual(directiveClaims)
  })

  test('is obeyed whatever the wall clock says: the nonce makes it fresh (T1)', async () => {
    expect(await outcome({ ...directiveClaims, iat: 1, exp: 301, action: 'kill' })).toBe('ok')
  })

  test.each([
    ['wrong_issuer', { ...directiveClaims, iss: 'https://other.example.com' }],
    ['wrong_audience', { ...directiveClaims, aud: 'other' }],
    ['wrong_instance', { ...directiveClaims, sub: 'test-002' }],
    ['wrong_nonce', { ...directiveClaims, nonce: 'vutsrqponmlkjihgfedcba' }],
    ['bad_member nonce', { ...directiveClaims, nonce: 'short' }],
    ['bad_member nonce', { ...directiveClaims, nonce: `${NONCE}\n` }],
    ['bad_member status', { ...directiveClaims, status: 'killed' }],
    ['bad_member action', { ...directiveClaims, action: 'KILL' }],
    ['bad_member seq', { ...directiveClaims, seq: 1.5 }],
    ['bad_member keys', { ...directiveClaims, keys: -1 }],
    ['bad_member license_id', { ...directiveClaims, license_id: '' }],
    ['bad_member exp', { ...directiveClaims, exp: NOW + 301 }],
    ['bad_member exp', { ...directiveClaims, exp: NOW }],
  ])('is refused as %s', async (why, claims) => {
    expect(await outcome(claims)).toBe(why)
  })

  test.each(Object.keys(directiveClaims))('is refused without %s', async (name) => {
    expect(await outcome(without(directiveClaims, name))).toMatch(/^(missing_member|wrong_audience)/)
  })

  test.each(['tier', 'features', 'limits', 'quotas'])(
    'is refused with %s, which belongs to a grant',
    async (name) => {
      expect(await outcome({ ...directiveClaims, [name]: null })).toBe(`forbidden_member ${name}`)
    },
  )

  test('may concern no license', async () => {
    expect(await outcome({ ...directiveClaims, license_id: null, status: 'unlicensed' })).toBe('ok')
  })

  test('is refused under a retired key, which verifies old grants only', async () => {
    const keys = trustKeys([await trust(pair, { use: 'control', status: 'retired' })])
    expect(await outcome(directiveClaims, { keys })).toBe(`key_retired ${key.kid}`)
  })
})

describe('taking away', () => {
  const pairs = DIRECTIVE_STATUSES.flatMap((status) => ACTIONS.map((action) => ({ status, action })))

  test.each(pairs)('$status with $action needs a current key set exactly when it takes', async (claims) => {
    const takes = ['suspended', 'revoked', 'expired'].includes(claims.status) || claims.action !== 'none'
    expect(takesAway(claims)).toBe(takes)
    expect(await outcome({ ...directiveClaims, ...claims })).toBe('ok')
    expect(await outcome({ ...directiveClaims, ...claims }, { mayTake: false })).toBe(
      takes ? 'key_set_expired' : 'ok',
    )
  })
})
