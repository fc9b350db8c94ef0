import { createPublicKey, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ACTIVATION_TYP,
  ALLOTMENT_TYP,
  DIRECTIVE_TYP,
  KEY_SET_TYP,
  LICENSE_TYP,
  type LicenseClaims,
  type LicenseKeyPayload,
} from '../../../src/contract/claims.ts'
import { verifyLicenseJwt } from '../../../src/license/license-jwt.ts'
import { verifyLicenseKey } from '../../../src/license/license-key.ts'
import { trustKeys } from '../../../src/license/trusted-keys.ts'
import { openRootKey, openSigningKey } from '../../../src/mint/keys.ts'
import { signJws } from '../../../src/mint/sign-jws.ts'
import { signRaw } from '../../../src/mint/sign-raw.ts'
import {
  activationClaims,
  allotmentClaims,
  directiveClaims,
  entitlementPayload,
  ISSUER,
  keySetClaims,
  licenseClaims,
  licenseKeyPayload,
  makePair,
  NOW,
  type Pair,
  PRODUCT,
  trust,
} from '../license/fixtures.ts'

const pairs = { license: makePair(), control: makePair(), raw: makePair(), root: makePair() }
const license = openSigningKey(pairs.license.pkcs8, { product: PRODUCT, use: 'license' })
const control = openSigningKey(pairs.control.pkcs8, { product: PRODUCT, use: 'control' })
const raw = openSigningKey(pairs.raw.pkcs8, { product: PRODUCT, use: 'raw' })
const root = openRootKey(pairs.root.pkcs8)

/** Checks with node:crypto alone, from the public key's bytes. */
function nodeVerifies({ x }: Pair, data: string | Uint8Array, signature = ''): boolean {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  return verify(null, Buffer.from(data), key, Buffer.from(signature, 'base64url'))
}
const decoded = (part = '') => Buffer.from(part, 'base64url')

describe('signing a JWS', () => {
  test.each([
    [LICENSE_TYP, pairs.license, license, () => signJws(license, LICENSE_TYP, licenseClaims), licenseClaims],
    [
      DIRECTIVE_TYP,
      pairs.control,
      control,
      () => signJws(control, DIRECTIVE_TYP, directiveClaims),
      directiveClaims,
    ],
    [KEY_SET_TYP, pairs.root, root, () => signJws(root, KEY_SET_TYP, keySetClaims([])), keySetClaims([])],
  ])('%s: node:crypto alone verifies what was signed', (typ, pair, { kid }, sign, claims) => {
    const token = sign()
    const [header, payload, signature, ...rest] = token.split('.')
    expect(rest).toEqual([])
    expect(nodeVerifies(pair, `${header}.${payload}`, signature)).toBe(true)
    expect(nodeVerifies(makePair(), `${header}.${payload}`, signature)).toBe(false)
    expect(JSON.parse(decoded(header).toString())).toEqual({ alg: 'EdDSA', typ, kid })
    expect(JSON.parse(decoded(payload).toString())).toEqual(claims)
    expect(token.startsWith('eyJ')).toBe(true)
  })

  test('any claims come back as they were', async () => {
    const keys = trustKeys([await trust(pairs.license, { use: 'license' })])
    const word = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .filter((text) => !text.includes('\0'))
    const values = fc.dictionary(
      fc.stringMatching(/^[a-z][a-z0-9_]{0,20}$/),
      fc.integer({ min: 0, max: 2 ** 40 }),
    )
    const claims: fc.Arbitrary<LicenseClaims> = fc
      .record({
        sub: word,
        tier: word,
        features: fc.array(word),
        limits: values,
        exp: fc.integer({ min: NOW + 1, max: NOW + 1e8 }),
        grace_days: fc.nat(365),
        org_name: word,
        trial: fc.boolean(),
      })
      .map((changes) => ({ ...licenseClaims, ...changes, limits: { ...changes.limits, unlimited: -1 } }))
    await fc.assert(
      fc.asyncProperty(claims, async (given) => {
        const token = signJws(license, LICENSE_TYP, given)
        const expected = { issuer: ISSUER, product: PRODUCT, keys, acceptRetired: false, now: NOW } as const
        const result = await verifyLicenseJwt(token, { ...expected, age: 'unexpired' })
        expect(result.ok && result.claims).toEqual(given)
      }),
    )
  })

  test('refuses a key of another use, in types and at run time', () => {
    // @ts-expect-error a raw key signs no JWS
    expect(() => signJws(raw, LICENSE_TYP, licenseClaims)).toThrow('raw key does not sign')
    // @ts-expect-error a control key signs no license JWT
    expect(() => signJws(control, LICENSE_TYP, licenseClaims)).toThrow('control key does not sign')
    // @ts-expect-error the root signs key sets only
    expect(() => signJws(root, LICENSE_TYP, licenseClaims)).toThrow('root key does not sign')
    // @ts-expect-error a license key signs no directive
    expect(() => signJws(license, DIRECTIVE_TYP, directiveClaims)).toThrow('license key does not sign')
    // @ts-expect-error a license key signs no allotment
    expect(() => signJws(license, ALLOTMENT_TYP, allotmentClaims(pairs.raw.x))).toThrow('license key')
    // @ts-expect-error a license key signs no offline answer
    expect(() => signJws(license, ACTIVATION_TYP, { ...activationClaims, grant: '' })).toThrow('license key')
    // @ts-expect-error a product's key signs no key set
    expect(() => signJws(control, KEY_SET_TYP, keySetClaims([]))).toThrow('control key does not sign')
  })

  test('refuses claims of another typ, in types and at run time', () => {
    // @ts-expect-error a directive is no license
    expect(() => signJws(license, LICENSE_TYP, directiveClaims)).toThrow('forbidden_member')
    // @ts-expect-error a license is no directive
    expect(() => signJws(control, DIRECTIVE_TYP, licenseClaims)).toThrow('forbidden_member')
  })

  test('refuses what no verifier would take, and what belongs to another product', () => {
    const sign = (changes: Partial<LicenseClaims>) => () =>
      signJws(license, LICENSE_TYP, { ...licenseClaims, ...changes } as LicenseClaims)
    expect(sign({ exp: NOW - 1 })).toThrow('bad_member exp')
    expect(sign({ exp: Number.NaN })).toThrow('bad_member exp')
    expect(sign({ tier: '' })).toThrow('bad_member tier')
    expect(sign({ org_name: undefined as never })).toThrow('bad_member org_name')
    expect(sign({ aud: 'other' })).toThrow('another product')
    expect(sign({})()).toMatch(/^eyJ/)
  })

  test('writes the header of each typ and each key, however often they take turns', () => {
    const typs = () => [
      signJws(control, DIRECTIVE_TYP, directiveClaims),
      signJws(control, ALLOTMENT_TYP, allotmentClaims(pairs.raw.x)),
      signJws(license, LICENSE_TYP, licenseClaims),
    ]
    const headers = [...typs(), ...typs()].map((token) => JSON.parse(decoded(token.split('.')[0]).toString()))
    const expected = [
      { alg: 'EdDSA', typ: DIRECTIVE_TYP, kid: control.kid },
      { alg: 'EdDSA', typ: ALLOTMENT_TYP, kid: control.kid },
      { alg: 'EdDSA', typ: LICENSE_TYP, kid: license.kid },
    ]
    expect(headers).toEqual([...expected, ...expected])
  })
})

describe('signing a raw object', () => {
  test.each([
    ['entitlement_token', () => signRaw(raw, 'entitlement_token', entitlementPayload), entitlementPayload],
    ['license_key', () => signRaw(raw, 'license_key', licenseKeyPayload), licenseKeyPayload],
  ])('%s: node:crypto alone verifies what was signed', (_, sign, given) => {
    const token = sign()
    const [payload, signature, ...rest] = token.split('.')
    expect(rest).toEqual([])
    expect(token).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}$/)
    expect(nodeVerifies(pairs.raw, decoded(payload), signature)).toBe(true)
    expect(nodeVerifies(makePair(), decoded(payload), signature)).toBe(false)
    expect(JSON.parse(decoded(payload).toString())).toEqual(given)
  })

  test('the same payload gives the same text, in whatever order its members stand', () => {
    const reversed = Object.fromEntries(
      Object.entries(licenseKeyPayload).reverse(),
    ) as unknown as LicenseKeyPayload
    expect(Object.keys(reversed)[0]).toBe('expires_at')
    expect(signRaw(raw, 'license_key', reversed)).toBe(signRaw(raw, 'license_key', licenseKeyPayload))
  })

  test('verifies where its key is trusted', async () => {
    const keys = trustKeys([await trust(pairs.raw, { use: 'raw' })])
    const token = signRaw(raw, 'license_key', licenseKeyPayload)
    const expected = { product: PRODUCT, keys, acceptRetired: false, age: 'unexpired', now: NOW } as const
    expect(await verifyLicenseKey(token, expected)).toMatchObject({ ok: true, claims: licenseKeyPayload })
  })

  test('refuses a key of another use, in types and at run time', () => {
    // @ts-expect-error a license key signs no raw object
    expect(() => signRaw(license, 'license_key', licenseKeyPayload)).toThrow('license key does not sign')
    // @ts-expect-error a control key signs no raw object
    expect(() => signRaw(control, 'license_key', licenseKeyPayload)).toThrow('control key does not sign')
    // @ts-expect-error nor does the root
    expect(() => signRaw(root, 'license_key', licenseKeyPayload)).toThrow('root key does not sign')
  })

  test('refuses a payload of another kind or product, and what no verifier would take', () => {
    // @ts-expect-error an entitlement token is no license key
    expect(() => signRaw(raw, 'license_key', entitlementPayload)).toThrow('forbidden_member nonce')
    const other = { ...licenseKeyPayload, product: 'other' }
    expect(() => signRaw(raw, 'license_key', other)).toThrow('another product')
    const nameless = { ...licenseKeyPayload, customer_id: '' }
    expect(() => signRaw(raw, 'license_key', nameless)).toThrow('bad_member customer_id')
  })
})
