import { createPublicKey, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ENVELOPE_UNLIMITED, type EnvelopePayload } from '../../../src/contract/claims.ts'
import { verifyEnvelope } from '../../../src/license/envelope.ts'
import { trustKeys } from '../../../src/license/trusted-keys.ts'
import { openSigningKey } from '../../../src/mint/keys.ts'
import { signRaw } from '../../../src/mint/sign-raw.ts'
import { makePair, NOW, openPair, PRODUCT, trust } from '../license/fixtures.ts'

const pair = makePair()
const key = openSigningKey(pair.pkcs8, { product: PRODUCT, use: 'raw' })
const keys = trustKeys([await trust(pair, { use: 'raw' })])
const expected = { product: PRODUCT, keys, tenantId: 'acme', now: NOW, age: 'within_grace' } as const

const payload: EnvelopePayload = {
  exp: NOW + 86_400,
  gracePeriodDays: 7,
  iat: NOW,
  label: 'ACME prod',
  licenseId: '0190c2e4-7b1a-7c3d-8e4f-0123456789ab',
  limits: { max_apps: 50, max_agents: 100, maxZ: 1, max_a: ENVELOPE_UNLIMITED },
  tenantId: 'acme',
}

/** The same content with the members, and the limits, put in the other way round. */
function reversed(given: EnvelopePayload): EnvelopePayload {
  const limits = Object.fromEntries(Object.entries(given.limits).reverse())
  return Object.fromEntries(Object.entries({ ...given, limits }).reverse()) as unknown as EnvelopePayload
}

/** The format as the reference describes it, read with nothing but Node: standard base64, Ed25519 over the bytes. */
function openWithNodeAlone(token: string, spkiBase64: string): string {
  const parts = token.split('.').map((part) => Buffer.from(part, 'base64'))
  expect(parts.map((part) => part.toString('base64')).join('.')).toBe(token)
  const [content = Buffer.of(), signature = Buffer.of()] = parts
  const spki = createPublicKey({ key: Buffer.from(spkiBase64, 'base64'), format: 'der', type: 'spki' })
  if (!verify(null, content, spki, signature)) throw new Error('signature verification failed')
  return content.toString('utf8')
}

const spki = createPublicKey(openPair(pair.pkcs8)).export({ format: 'der', type: 'spki' })

describe('an envelope from the mint', () => {
  test('is byte for byte what the format says, verified with node:crypto alone', async () => {
    expect(spki.length).toBe(44)
    const token = signRaw(key, 'envelope', payload)
    expect(openWithNodeAlone(token, spki.toString('base64'))).toBe(
      `{"exp":${NOW + 86_400},"gracePeriodDays":7,"iat":${NOW},"label":"ACME prod",` +
        '"licenseId":"0190c2e4-7b1a-7c3d-8e4f-0123456789ab",' +
        '"limits":{"maxZ":1,"max_a":2147483647,"max_agents":100,"max_apps":50},"tenantId":"acme"}',
    )
    const other = createPublicKey(openPair(makePair().pkcs8)).export({ format: 'der', type: 'spki' })
    expect(() => openWithNodeAlone(token, other.toString('base64'))).toThrow('verification failed')
  })

  test('has tier, features and instance at their alphabetical places, and no label when there is none', async () => {
    const { label: _, ...unlabelled } = payload
    const more = { ...unlabelled, tier: 'pro', instanceId: 'i-1', features: ['b', 'a'], limits: {} }
    const token = signRaw(key, 'envelope', more)
    expect(openWithNodeAlone(token, spki.toString('base64'))).toBe(
      `{"exp":${NOW + 86_400},"features":["b","a"],"gracePeriodDays":7,"iat":${NOW},"instanceId":"i-1",` +
        '"licenseId":"0190c2e4-7b1a-7c3d-8e4f-0123456789ab","limits":{},"tenantId":"acme","tier":"pro"}',
    )
  })

  test('is not made with a key of another use', async () => {
    const license = openSigningKey(pair.pkcs8, { product: PRODUCT, use: 'license' })
    // @ts-expect-error a license key signs no raw object
    expect(() => signRaw(license, 'envelope', payload)).toThrow('license key does not sign envelope')
  })

  test.each([
    [{ limits: { max_apps: 1.5 } }, 'limits is not valid'],
    [{ limits: { max_apps: '50' } }, 'limits is not valid'],
    [{ limits: { max_apps: Number.NaN } }, 'limits is not valid'],
    [{ limits: { max_apps: -1 } }, 'limits.max_apps'],
    [{ limits: { max_apps: 2_147_483_648 } }, 'limits.max_apps'],
    [{ limits: { 'max apps': 1 } }, 'limits is not valid'],
    [{ limits: undefined }, 'missing_member limits'],
    [{ exp: NOW + 0.5 }, 'exp is not valid'],
    [{ iat: undefined }, 'missing_member iat'],
    [{ gracePeriodDays: -1 }, 'gracePeriodDays must be >= 0'],
    [{ gracePeriodDays: 1.5 }, 'gracePeriodDays is not valid'],
    [{ licenseId: 'lic_1' }, 'licenseId is not a valid UUID: lic_1'],
    [{ tenantId: '' }, 'tenantId is required'],
    [{ label: undefined }, 'bad_member label'],
    [{ nonce: 'x' }, 'nonce is not a member'],
  ])('is not made with %o', async (change, message) => {
    const wrong = { ...payload, ...change } as EnvelopePayload
    expect(() => signRaw(key, 'envelope', wrong)).toThrow(message)
  })
})

const names = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.-]{0,20}$/)
const words = fc
  .string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
  .filter((word) => word.trim() !== '')
const envelopes: fc.Arbitrary<EnvelopePayload> = fc.record(
  {
    exp: fc.integer({ min: NOW, max: NOW + 10 ** 9 }),
    gracePeriodDays: fc.nat(365),
    iat: fc.integer({ min: 0, max: NOW }),
    label: words,
    licenseId: fc.uuid(),
    limits: fc.dictionary(names, fc.nat(ENVELOPE_UNLIMITED)),
    tenantId: fc.constant('acme'),
    tier: names,
    features: fc.array(names),
    instanceId: names,
  },
  { requiredKeys: ['exp', 'gracePeriodDays', 'iat', 'licenseId', 'limits', 'tenantId'] },
)

describe('any envelope', () => {
  test('is verified with the content that it was minted with, and has one text', async () => {
    await fc.assert(
      fc.asyncProperty(envelopes, async (given) => {
        const token = signRaw(key, 'envelope', given)
        expect(signRaw(key, 'envelope', reversed(given))).toBe(token)
        const read = await verifyEnvelope(token, expected)
        expect(read.ok && read.claims).toEqual(given)
        const text = openWithNodeAlone(token, spki.toString('base64'))
        expect(JSON.parse(text)).toEqual(given)
        expect(Object.keys(JSON.parse(text))).toEqual(Object.keys(given).sort())
      }),
      { numRuns: 60 },
    )
  })

  test('is refused once one character is another, or one is added or missing', async () => {
    const token = signRaw(key, 'envelope', payload)
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=.-_ \n'
    const damaged: string[] = []
    for (let i = 0; i < token.length; i++) {
      const other = alphabet[(alphabet.indexOf(token[i] ?? '') + 1 + (i % 60)) % alphabet.length] ?? ''
      damaged.push(token.slice(0, i) + other + token.slice(i + 1), token.slice(0, i) + token.slice(i + 1))
    }
    for (const added of alphabet) damaged.push(token + added, added + token)
    for (const changed of damaged) expect((await verifyEnvelope(changed, expected)).ok, changed).toBe(false)
    expect((await verifyEnvelope(token, expected)).ok).toBe(true)
  })

  test('is refused once one byte of payload or signature is another', async () => {
    const token = signRaw(key, 'envelope', payload)
    const parts = token.split('.').map((part) => Buffer.from(part, 'base64'))
    for (const [which, part] of parts.entries()) {
      for (let at = 0; at < part.length; at++) {
        const changed = parts.map((bytes) => Buffer.from(bytes))
        const bytes = changed[which] ?? Buffer.of()
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8))
        const text = changed.map((each) => each.toString('base64')).join('.')
        expect(await verifyEnvelope(text, expected)).toMatchObject({ ok: false, reason: 'bad_signature' })
      }
    }
  })
})
