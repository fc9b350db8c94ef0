import { describe, expect, test } from 'vitest'
import { DIRECTIVE_TYP, KEY_SET_TYP, LICENSE_TYP } from '../../../src/contract/claims.ts'
import { verifyDirective } from '../../../src/license/directive.ts'
import { verifyEntitlementToken } from '../../../src/license/entitlement-token.ts'
import { followKeySet } from '../../../src/license/key-set.ts'
import { verifyLicenseJwt } from '../../../src/license/license-jwt.ts'
import { verifyLicenseKey } from '../../../src/license/license-key.ts'
import { trustKeys } from '../../../src/license/trusted-keys.ts'
import { openRootKey, openSigningKey } from '../../../src/mint/keys.ts'
import { signJws } from '../../../src/mint/sign-jws.ts'
import { signRaw } from '../../../src/mint/sign-raw.ts'
import {
  directiveClaims,
  entitlementPayload,
  INSTANCE,
  ISSUER,
  keySetClaims,
  licenseClaims,
  licenseKeyPayload,
  makePair,
  NONCE,
  NOW,
  nodeJws,
  nodeRaw,
  PRODUCT,
  pin,
  trust,
} from './fixtures.ts'

const pairs = { jws: makePair(), raw: makePair(), root: makePair() }
const jwsKey = await trust(pairs.jws, { use: 'jws' })
const rawKey = await trust(pairs.raw, { use: 'raw' })
const rootKey = await pin(pairs.root)
const kids = { jws: jwsKey.kid, raw: rawKey.kid, root: rootKey.kid }

const signers = {
  jws: await openSigningKey(pairs.jws.pkcs8, { product: PRODUCT, use: 'jws' }),
  raw: await openSigningKey(pairs.raw.pkcs8, { product: PRODUCT, use: 'raw' }),
  root: await openRootKey(pairs.root.pkcs8),
}

const payloads = {
  'license JWT': licenseClaims,
  directive: directiveClaims,
  'key set': keySetClaims([]),
  'entitlement token': entitlementPayload,
  'license key': licenseKeyPayload,
}
type Name = keyof typeof payloads
const names = Object.keys(payloads) as Name[]

const typs = { 'license JWT': LICENSE_TYP, directive: DIRECTIVE_TYP, 'key set': KEY_SET_TYP } as const

const minted: Record<Name, string> = {
  'license JWT': await signJws(signers.jws, LICENSE_TYP, licenseClaims),
  directive: await signJws(signers.jws, DIRECTIVE_TYP, directiveClaims),
  'key set': await signJws(signers.root, KEY_SET_TYP, keySetClaims([])),
  'entitlement token': await signRaw(signers.raw, 'entitlement_token', entitlementPayload),
  'license key': await signRaw(signers.raw, 'license_key', licenseKeyPayload),
}

/** Each verifier, with every key of the product trusted and every check that can be left out left out. */
function verifiers(product: string, keys = trustKeys([jwsKey, rawKey])) {
  const common = { issuer: ISSUER, product, instanceId: INSTANCE, keys, acceptRetired: true, now: NOW }
  const all: Record<Name, (token: string) => Promise<{ ok: boolean }>> = {
    'license JWT': (token) => verifyLicenseJwt(token, { ...common, age: 'any' }),
    directive: (token) => verifyDirective(token, { ...common, nonce: NONCE, mayTake: true }),
    'key set': (token) => followKeySet(token, { issuer: ISSUER, roots: [rootKey], current: null }),
    'entitlement token': (token) => verifyEntitlementToken(token, common),
    'license key': (token) => verifyLicenseKey(token, { ...common, age: 'any' }),
  }
  return all
}

const matrix = names.flatMap((object) => names.map((verifier) => ({ object, verifier })))

describe('every signed object against every verifier', () => {
  test.each(matrix)(
    'a $object given as a $verifier passes only if it is one',
    async ({ object, verifier }) => {
      expect((await verifiers(PRODUCT)[verifier](minted[object])).ok).toBe(object === verifier)
    },
  )
})

describe('every payload in every form under every key', () => {
  const right: Record<Name, keyof typeof pairs> = {
    'license JWT': 'jws',
    directive: 'jws',
    'key set': 'root',
    'entitlement token': 'raw',
    'license key': 'raw',
  }
  const uses = Object.keys(pairs) as (keyof typeof pairs)[]

  test.each(names)('passes as a %s only with the right payload, form and key', async (verifier) => {
    const passed: string[] = []
    for (const payload of names) {
      for (const use of uses) {
        const forms: Record<string, string> = { raw: nodeRaw(pairs[use], payloads[payload]) }
        for (const typ of Object.values(typs)) {
          for (const [named, kid] of Object.entries(kids)) {
            forms[`${typ} kid ${named}`] = nodeJws(pairs[use], { alg: 'EdDSA', typ, kid }, payloads[payload])
          }
        }
        for (const [form, token] of Object.entries(forms)) {
          if ((await verifiers(PRODUCT)[verifier](token)).ok) passed.push(`${payload}, ${form}, ${use}`)
        }
      }
    }
    const use = right[verifier]
    const form = verifier in typs ? `${typs[verifier as keyof typeof typs]} kid ${use}` : 'raw'
    expect(passed).toEqual([`${verifier}, ${form}, ${use}`])
  })
})

describe('another product', () => {
  const ofProduct = names.filter((name) => name !== 'key set')

  test.each(ofProduct)('does not take a %s of this product, though it trusts its keys', async (name) => {
    expect((await verifiers('other')[name](minted[name])).ok).toBe(false)
  })

  test.each(ofProduct)('has keys that sign no %s for this product', async (name) => {
    const payload = payloads[name]
    const theirs = trustKeys([
      await trust(pairs.jws, { use: 'jws', product: 'other' }),
      await trust(pairs.raw, { use: 'raw', product: 'other' }),
    ])
    const token =
      name === 'license JWT' || name === 'directive'
        ? nodeJws(pairs.jws, { alg: 'EdDSA', typ: typs[name], kid: kids.jws }, payload)
        : nodeRaw(pairs.raw, payload)
    for (const product of [PRODUCT, 'other']) {
      expect((await verifiers(product, theirs)[name](token)).ok).toBe(false)
    }
  })
})

describe('a mutated payload under the old signature', () => {
  const members = names.flatMap((object) =>
    Object.keys(payloads[object]).map((member) => ({ object, member })),
  )

  test.each(members)(
    '$object: changing or dropping $member breaks the signature',
    async ({ object, member }) => {
      const parts = minted[object].split('.')
      const at = parts.length - 2
      const payload = JSON.parse(Buffer.from(parts[at] ?? '', 'base64url').toString())
      const value = payload[member]
      const other = typeof value === 'number' ? value + 1 : typeof value === 'boolean' ? !value : `${value}x`
      for (const changed of [other, undefined, null]) {
        parts[at] = Buffer.from(JSON.stringify({ ...payload, [member]: changed })).toString('base64url')
        expect(await verifiers(PRODUCT)[object](parts.join('.'))).toMatchObject({
          ok: false,
          reason: 'bad_signature',
        })
      }
    },
  )
})
