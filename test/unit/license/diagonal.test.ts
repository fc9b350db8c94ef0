import { describe, expect, test } from 'vitest'
import {
  ACTIVATION_TYP,
  ALLOTMENT_TYP,
  DIRECTIVE_TYP,
  KEY_SET_TYP,
  LICENSE_TYP,
} from '../../../src/contract/claims.ts'
import { trustKeys } from '../../../src/license/trusted-keys.ts'
import { openRootKey, openSigningKey } from '../../../src/mint/keys.ts'
import { signJws } from '../../../src/mint/sign-jws.ts'
import { signRaw } from '../../../src/mint/sign-raw.ts'
import {
  allotmentClaims,
  directiveClaims,
  entitlementPayload,
  envelopePayload,
  keySetClaims,
  licenseClaims,
  licenseKeyPayload,
  PRODUCT,
  trust,
} from './fixtures.ts'
import {
  activationPayload,
  isJws,
  kids,
  ownTrust,
  pairs,
  signedObjects,
  type Use,
  write,
} from './signed-objects.ts'

const names = signedObjects.map(({ name }) => name)
const forms = [...new Set(signedObjects.map(({ form }) => form))]
const written = new Map(
  signedObjects.map(({ name, form, use, payload }) => [name, write(form, pairs[use], payload)]),
)
const token = (name: string): string => written.get(name) ?? ''

describe('every signed object against every verifier', () => {
  const matrix = signedObjects.flatMap((verifier) => names.map((object) => ({ object, ...verifier })))

  test.each(matrix)(
    'a $object given as a $name passes only if it is one',
    async ({ object, name, verify }) => {
      expect((await verify(token(object), ownTrust)).ok).toBe(object === name)
    },
  )

  test('is what the server signs, to the letter', async () => {
    const license = openSigningKey(pairs.license.pkcs8, { product: PRODUCT, use: 'license' })
    const control = openSigningKey(pairs.control.pkcs8, { product: PRODUCT, use: 'control' })
    const raw = openSigningKey(pairs.raw.pkcs8, { product: PRODUCT, use: 'raw' })
    const root = openRootKey(pairs.root.pkcs8)
    const minted: Record<string, string> = {
      'license JWT': signJws(license, LICENSE_TYP, licenseClaims),
      directive: signJws(control, DIRECTIVE_TYP, directiveClaims),
      allotment: signJws(control, ALLOTMENT_TYP, allotmentClaims(pairs.relay.x)),
      'offline answer': signJws(control, ACTIVATION_TYP, activationPayload),
      'key set': signJws(root, KEY_SET_TYP, keySetClaims([])),
      'entitlement token': signRaw(raw, 'entitlement_token', entitlementPayload),
      'license key': signRaw(raw, 'license_key', licenseKeyPayload),
      envelope: signRaw(raw, 'envelope', envelopePayload),
    }
    // A relay's own key signs its leases.
    expect(Object.keys(minted).sort()).toEqual(names.filter((name) => name !== 'relay lease').sort())
    for (const [object, text] of Object.entries(minted)) {
      for (const { name, verify } of signedObjects) {
        expect([object, name, (await verify(text, ownTrust)).ok]).toEqual([object, name, object === name])
      }
    }
  })
})

describe('every payload in every form under every key', () => {
  const uses = Object.keys(pairs) as Use[]

  test.each(signedObjects)('passes as a $name only with the right payload, form and key', async (object) => {
    const passed: string[] = []
    for (const { name, payload } of signedObjects) {
      for (const use of uses) {
        for (const form of forms) {
          for (const named of isJws(form) ? uses : [use]) {
            const text = write(form, pairs[use], payload, kids[named])
            if ((await object.verify(text, ownTrust)).ok) passed.push(`${name}, ${form}, ${use}, ${named}`)
          }
        }
      }
    }
    const { name, form, use } = object
    expect(passed).toEqual([`${name}, ${form}, ${use}, ${use}`])
  })
})

describe('another product', () => {
  const ofProduct = signedObjects.filter(({ use }) => use !== 'root')

  test.each(ofProduct)('does not take a $name of this product, though it trusts its keys', async (object) => {
    expect((await object.verify(token(object.name), { ...ownTrust, product: 'other' })).ok).toBe(false)
  })

  test.each(ofProduct)('has keys that sign no $name for this product', async ({ name, payload, verify }) => {
    const keys = trustKeys([
      await trust(pairs.license, { use: 'license', product: 'other' }),
      await trust(pairs.control, { use: 'control', product: 'other' }),
      await trust(pairs.raw, { use: 'raw', product: 'other' }),
    ])
    expect((await verify(token(name), { product: PRODUCT, keys })).ok).toBe(false)
    // An envelope names no product: its key does.
    const namesProduct = 'aud' in payload || 'product' in payload
    expect((await verify(token(name), { product: 'other', keys })).ok).toBe(!namesProduct)
  })
})

describe('a mutated payload under the old signature', () => {
  const members = signedObjects.flatMap(({ name, form, payload, verify }) =>
    Object.keys(payload).map((member) => ({ name, form, payload, verify, member })),
  )

  test.each(members)('$name: changing or dropping $member breaks the signature', async (row) => {
    const { name, form, member, verify } = row
    const payload: Record<string, unknown> = { ...row.payload }
    const parts = token(name).split('.')
    const value = payload[member]
    const other = typeof value === 'number' ? value + 1 : typeof value === 'boolean' ? !value : `${value}x`
    for (const changed of [other, undefined, null]) {
      const bytes = Buffer.from(JSON.stringify({ ...payload, [member]: changed }))
      parts[parts.length - 2] = bytes.toString(form === 'base64' ? 'base64' : 'base64url')
      // The key of a relay lease stands in its allotment: without that there is nothing to check a signature with.
      const reason = member === 'allotment' ? expect.any(String) : 'bad_signature'
      expect(await verify(parts.join('.'), ownTrust)).toMatchObject({ ok: false, reason })
    }
  })
})
