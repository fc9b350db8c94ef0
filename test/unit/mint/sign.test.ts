import { createPublicKey, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
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

const pairs = { jws: makePair(), raw: makePair(), root: makePair() }
const jws = await openSigningKey(pairs.jws.pkcs8, { product: PRODUCT, use: 'jws' })
const raw = await openSigningKey(pairs.raw.pkcs8, { product: PRODUCT, use: 'raw' })
const root = await openRootKey(pairs.root.pkcs8)

/** Checks with node:crypto alone, from the public key's bytes. */
function nodeVerifies({ x }: Pair, data: string | Uint8Array, signature = ''): boolean {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  return verify(null, Buffer.from(data), key, Buffer.from(signature, 'base64url'))
}
const decoded = (part = '') => Buffer.from(part, 'base64url')

describe('signing a JWS', () => {
  test.each([
    [LICENSE_TYP, pairs.jws, () => signJws(jws, LICENSE_TYP, licenseClaims), licenseClaims],
    [DIRECTIVE_TYP, pairs.jws, () => signJws(jws, DIRECTIVE_TYP, directiveClaims), directiveClaims],
    [KEY_SET_TYP, pairs.root, () => signJws(root, KEY_SET_TYP, keySetClaims([])), keySetClaims([])],
  ])('%s: node:crypto alone verifies what was signed', async (typ, pair, sign, claims) => {
    const token = await sign()
    const [header, payload, signature, ...rest] = token.split('.')
    expect(rest).toEqual([])
    expect(nodeVerifies(pair, `${header}.${payload}`, signature)).toBe(true)
    expect(nodeVerifies(makePair(), `${header}.${payload}`, signature)).toBe(false)
    const kid = pair === pairs.root ? root.kid : jws.kid
    expect(JSON.parse(decoded(header).toString())).toEqual({ alg: 'EdDSA', typ, kid })
    expect(JSON.parse(decoded(payload).toString())).toEqual(claims)
    expect(token.startsWith('eyJ')).toBe(true)
  })

  test('any claims come back as they were', async () => {
    const keys = trustKeys([await trust(pairs.jws, { use: 'jws' })])
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
        const token = await signJws(jws, LICENSE_TYP, given)
        const expected = { issuer: ISSUER, product: PRODUCT, keys, acceptRetired: false, now: NOW } as const
        const result = await verifyLicenseJwt(token, { ...expected, age: 'unexpired' })
        expect(result.ok && result.claims).toEqual(given)
      }),
    )
  })

  test('refuses a key of another use, in types and at run time', async () => {
    // @ts-expect-error a raw key signs no JWS
    await expect(signJws(raw, LICENSE_TYP, licenseClaims)).rejects.toThrow('raw key does not sign')
    // @ts-expect-error the root signs key sets only
    await expect(signJws(root, LICENSE_TYP, licenseClaims)).rejects.toThrow('root key does not sign')
    // @ts-expect-error a product's key signs no key set
    await expect(signJws(jws, KEY_SET_TYP, keySetClaims([]))).rejects.toThrow('jws key does not sign')
  })

  test('refuses claims of another typ, in types and at run time', async () => {
    // @ts-expect-error a directive is no license
    await expect(signJws(jws, LICENSE_TYP, directiveClaims)).rejects.toThrow('forbidden_member')
    // @ts-expect-error a license is no directive
    await expect(signJws(jws, DIRECTIVE_TYP, licenseClaims)).rejects.toThrow('forbidden_member')
  })

  test('refuses what no verifier would take, and what belongs to another product', async () => {
    const sign = (changes: Partial<LicenseClaims>) =>
      signJws(jws, LICENSE_TYP, { ...licenseClaims, ...changes } as LicenseClaims)
    await expect(sign({ exp: NOW - 1 })).rejects.toThrow('bad_member exp')
    await expect(sign({ exp: Number.NaN })).rejects.toThrow('bad_member exp')
    await expect(sign({ tier: '' })).rejects.toThrow('bad_member tier')
    await expect(sign({ org_name: undefined as never })).rejects.toThrow('bad_member org_name')
    await expect(sign({ aud: 'other' })).rejects.toThrow('another product')
    await expect(sign({})).resolves.toMatch(/^eyJ/)
  })
})

describe('signing a raw object', () => {
  test.each([
    ['entitlement_token', () => signRaw(raw, 'entitlement_token', entitlementPayload), entitlementPayload],
    ['license_key', () => signRaw(raw, 'license_key', licenseKeyPayload), licenseKeyPayload],
  ])('%s: node:crypto alone verifies what was signed', async (_, sign, given) => {
    const token = await sign()
    const [payload, signature, ...rest] = token.split('.')
    expect(rest).toEqual([])
    expect(token).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}$/)
    expect(nodeVerifies(pairs.raw, decoded(payload), signature)).toBe(true)
    expect(nodeVerifies(makePair(), decoded(payload), signature)).toBe(false)
    expect(JSON.parse(decoded(payload).toString())).toEqual(given)
  })

  test('the same payload gives the same text, in whatever order its members stand', async () => {
    const reversed = Object.fromEntries(
      Object.entries(licenseKeyPayload).reverse(),
    ) as unknown as LicenseKeyPayload
    expect(Object.keys(reversed)[0]).toBe('expires_at')
    expect(await signRaw(raw, 'license_key', reversed)).toBe(
      await signRaw(raw, 'license_key', licenseKeyPayload),
    )
  })

  test('verifies where its key is trusted', async () => {
    const keys = trustKeys([await trust(pairs.raw, { use: 'raw' })])
    const token = await signRaw(raw, 'license_key', licenseKeyPayload)
    const expected = { product: PRODUCT, keys, acceptRetired: false, age: 'unexpired', now: NOW } as const
    expect(await verifyLicenseKey(token, expected)).toMatchObject({ ok: true, claims: licenseKeyPayload })
  })

  test('refuses a key of another use, in types and at run time', async () => {
    // @ts-expect-error a jws key signs no raw object
    await expect(signRaw(jws, 'license_key', licenseKeyPayload)).rejects.toThrow('jws key does not sign')
    // @ts-expect-error nor does the root
    await expect(signRaw(root, 'license_key', licenseKeyPayload)).rejects.toThrow('root key does not sign')
  })

  test('refuses a payload of another kind or product, and what no verifier would take', async () => {
    // @ts-expect-error an entitlement token is no license key
    await expect(signRaw(raw, 'license_key', entitlementPayload)).rejects.toThrow('forbidden_member nonce')
    const other = { ...licenseKeyPayload, product: 'other' }
    await expect(signRaw(raw, 'license_key', other)).rejects.toThrow('another product')
    const nameless = { ...licenseKeyPayload, customer_id: '' }
    await expect(signRaw(raw, 'license_key', nameless)).rejects.toThrow('bad_member customer_id')
  })
})
