import { describe, expect, test } from 'vitest'
import {
  type EntitlementTokenExpectation,
  verifyEntitlementToken,
} from '../../../src/license/entitlement-token.ts'
import { type LicenseKeyExpectation, verifyLicenseKey } from '../../../src/license/license-key.ts'
import { trustKeys } from '../../../src/license/trusted-keys.ts'
import { verifyTwoPart } from '../../../src/license/two-part.ts'
import {
  entitlementPayload,
  INSTANCE,
  ISSUER,
  licenseKeyPayload,
  makePair,
  NOW,
  nodeRaw,
  PRODUCT,
  trust,
  without,
} from './fixtures.ts'

const pair = makePair()
const foreign = makePair()
const key = await trust(pair, { use: 'raw' })
const base = { product: PRODUCT, keys: trustKeys([key]), acceptRetired: false, now: NOW }
const word = (result: { ok: true } | { ok: false; reason: string; detail?: string }) =>
  result.ok ? 'ok' : [result.reason, result.detail].filter(Boolean).join(' ')

describe('the two-part form', () => {
  const good = nodeRaw(pair, licenseKeyPayload)
  const [payload = '', signature = ''] = good.split('.')
  const read = async (token: string, changes: Partial<typeof base> = {}) =>
    word(await verifyTwoPart(token, { ...base, ...changes }))

  test.each([
    ['ok', good],
    ['wrong_form', ''],
    ['wrong_form', payload],
    ['wrong_form', `${good}.`],
    ['wrong_form', `${payload}.${signature}.${signature}`],
    ['wrong_form', nodeRaw(pair, ` ${JSON.stringify(licenseKeyPayload)}`)],
    ['wrong_form', nodeRaw(pair, '[]')],
    ['bad_encoding', `${good}==`],
    ['bad_encoding', `${payload}=.${signature}`],
    ['bad_encoding', ` ${good}`],
    ['bad_signature', `${payload}.${signature.slice(0, -2)}`],
    ['bad_signature', nodeRaw(foreign, licenseKeyPayload)],
    ['bad_signature', nodeRaw(foreign, '{')],
    ['not_json', nodeRaw(pair, '{')],
    ['duplicate_member tier', nodeRaw(pair, `{"tier":"free",${JSON.stringify(licenseKeyPayload).slice(1)}`)],
    ['wrong_product', nodeRaw(pair, { ...licenseKeyPayload, product: 'other' })],
    ['wrong_product', nodeRaw(pair, without(licenseKeyPayload, 'product'))],
    ['too_large', `${payload}.${'A'.repeat(65_536)}`],
  ])('is %s', async (why, token) => {
    expect(await read(token)).toBe(why)
  })

  test('is refused when it is not text at all', async () => {
    expect(await read(undefined as never)).toBe('wrong_form')
  })

  test.each([
    ['unknown_key', { use: 'license' }],
    ['unknown_key', { use: 'raw', product: 'other' }],
    ['key_revoked key', { use: 'raw', status: 'revoked' }],
    ['key_retired key', { use: 'raw', status: 'retired' }],
    ['key_not_yet_valid key', { use: 'raw', nbf: NOW + 1 }],
    ['ok', { use: 'raw', nbf: NOW }],
  ] as const)('is %s under a key of %j', async (why, role) => {
    const keys = trustKeys([{ ...(await trust(pair, role)), kid: 'key' }])
    expect(await read(good, { keys })).toBe(why)
  })

  test('verifies under a retired key where the caller accepts it, and never under a revoked one', async () => {
    const retired = trustKeys([await trust(pair, { use: 'raw', status: 'retired' })])
    expect(await read(good, { keys: retired, acceptRetired: true })).toBe('ok')
    const revoked = trustKeys([await trust(pair, { use: 'raw', status: 'revoked' })])
    expect(await read(good, { keys: revoked, acceptRetired: true })).toBe(`key_revoked ${key.kid}`)
  })

  test('tries each raw key of the product, since it carries no kid', async () => {
    const other = await trust(foreign, { use: 'raw' })
    expect(await read(good, { keys: trustKeys([other, key]) })).toBe('ok')
    expect(await read(good, { keys: trustKeys([other]) })).toBe('bad_signature')
  })
})

describe('an entitlement token', () => {
  const expected: EntitlementTokenExpectation = { ...base, issuer: ISSUER, instanceId: INSTANCE }
  const outcome = async (payload: unknown, changes: Partial<EntitlementTokenExpectation> = {}) =>
    word(await verifyEntitlementToken(nodeRaw(pair, payload), { ...expected, ...changes }))

  test('gives its members and the key that verified it', async () => {
    const result = await verifyEntitlementToken(nodeRaw(pair, entitlementPayload), expected)
    expect(result).toEqual({ ok: true, claims: entitlementPayload, header: { kid: key.kid } })
  })

  test.each([
    ['forbidden_member customer_id', { ...entitlementPayload, customer_id: 'cus_1' }],
    ['wrong_issuer', { ...entitlementPayload, iss: 'https://other.example.com' }],
    ['wrong_instance', { ...entitlementPayload, instance_id: 'test-002' }],
    ['bad_member nonce', { ...entitlementPayload, nonce: '' }],
    ['bad_member nonce', { ...entitlementPayload, nonce: entitlementPayload.nonce.toUpperCase() }],
    ['bad_member limits', { ...entitlementPayload, limits: { max_agents: 1.5 } }],
    ['bad_member limits', { ...entitlementPayload, limits: { '': 1 } }],
    ['bad_member features', { ...entitlementPayload, features: ['oidc', 1] }],
    ['bad_member expires_at', { ...entitlementPayload, expires_at: NOW + 86_401 }],
    ['bad_member expires_at', { ...entitlementPayload, expires_at: NOW }],
  ])('is refused as %s', async (why, payload) => {
    expect(await outcome(payload)).toBe(why)
  })

  test.each(Object.keys(entitlementPayload))('is refused without %s', async (name) => {
    expect(await outcome(without(entitlementPayload, name))).toMatch(/^(missing_member|wrong_product)/)
  })

  test('holds through its last second and not one more', async () => {
    const { expires_at } = entitlementPayload
    expect(await outcome(entitlementPayload, { now: expires_at - 1 })).toBe('ok')
    expect(await outcome(entitlementPayload, { now: expires_at })).toBe('ok')
    expect(await outcome(entitlementPayload, { now: expires_at + 1 })).toBe('expired')
    expect(await outcome(entitlementPayload, { now: expires_at + 1, clockTolerance: 1 })).toBe('ok')
  })
})

describe('a license key', () => {
  const expected: LicenseKeyExpectation = { ...base, age: 'unexpired' }
  const outcome = async (payload: unknown, changes: Partial<LicenseKeyExpectation> = {}) =>
    word(await verifyLicenseKey(nodeRaw(pair, payload), { ...expected, ...changes }))

  test('gives its members and the key that verified it', async () => {
    const result = await verifyLicenseKey(nodeRaw(pair, licenseKeyPayload), expected)
    expect(result).toEqual({ ok: true, claims: licenseKeyPayload, header: { kid: key.kid } })
  })

  test.each([
    ['forbidden_member nonce', { ...licenseKeyPayload, nonce: 'x' }],
    ['forbidden_member features', { ...licenseKeyPayload, features: [] }],
    ['forbidden_member limits', { ...licenseKeyPayload, limits: {} }],
    ['bad_member customer_id', { ...licenseKeyPayload, customer_id: '' }],
    ['bad_member offline', { ...licenseKeyPayload, offline: 'true' }],
    ['bad_member expires_at', { ...licenseKeyPayload, expires_at: '2030-01-01T00:00:00Z' }],
  ])('is refused as %s', async (why, payload) => {
    expect(await outcome(payload)).toBe(why)
  })

  test.each(Object.keys(licenseKeyPayload))('is refused without %s', async (name) => {
    expect(await outcome(without(licenseKeyPayload, name))).toMatch(/^(missing_member|wrong_product)/)
  })

  test('unexpired: through its last second; any: also after', async () => {
    const { expires_at } = licenseKeyPayload
    expect(await outcome(licenseKeyPayload, { now: expires_at })).toBe('ok')
    expect(await outcome(licenseKeyPayload, { now: expires_at + 1 })).toBe('expired')
    expect(await outcome(licenseKeyPayload, { now: expires_at + 1, age: 'any' })).toBe('ok')
  })
})
