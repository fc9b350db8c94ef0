import { describe, expect, test } from 'vitest'
import { ALLOTMENT_LIFE, ALLOTMENT_TYP, RELAY_LEASE_TYP } from '../../../src/contract/claims.ts'
import { readAllotmentClaims, verifyAllotment } from '../../../src/license/allotment.ts'
import { verifyRelayLease } from '../../../src/license/relay-lease.ts'
import { keyThumbprint, trustKeys } from '../../../src/license/trusted-keys.ts'
import { openSigningKey } from '../../../src/mint/keys.ts'
import { signJws } from '../../../src/mint/sign-jws.ts'
import {
  allotmentClaims,
  INSTANCE,
  ISSUER,
  makePair,
  NOW,
  nodeJws,
  PRODUCT,
  RELAY,
  relayLeaseClaims,
  trust,
  without,
} from './fixtures.ts'

const vendor = makePair()
const relay = makePair()
const stranger = makePair()
const strangerKid = await keyThumbprint(stranger.raw)
const key = await trust(vendor, { use: 'control' })
const keys = trustKeys([key])
const allotment = allotmentClaims(relay.x)
const expected = {
  issuer: ISSUER,
  product: PRODUCT,
  instanceId: INSTANCE,
  keys,
  acceptRetired: false,
  age: 'unexpired',
  now: NOW + 10,
} as const

const signAllotment = (payload: object, by = vendor, kid = key.kid) =>
  nodeJws(by, { alg: 'EdDSA', typ: ALLOTMENT_TYP, kid }, payload)
const signLease = async (payload: object, by = relay, header: object = {}) =>
  nodeJws(by, { alg: 'EdDSA', typ: RELAY_LEASE_TYP, kid: await keyThumbprint(by.raw), ...header }, payload)
const lease = relayLeaseClaims(signAllotment(allotment))
const outcome = async (token: string, more: object = {}) => {
  const verified = await verifyRelayLease(token, { ...expected, ...more })
  return verified.ok ? 'ok' : [verified.reason, verified.detail].filter(Boolean).join(' ')
}

describe('an allotment', () => {
  test('is verified with what it grants, and signed by mint/ as it stands', async () => {
    const signer = openSigningKey(vendor.pkcs8, { product: PRODUCT, use: 'control' })
    const token = signJws(signer, ALLOTMENT_TYP, allotment)
    const verified = await verifyAllotment(token, { ...expected, relayId: RELAY })
    expect(verified).toMatchObject({ ok: true, claims: allotment })
    expect(await verifyAllotment(token, { ...expected, relayId: 'rly_2' })).toMatchObject({
      reason: 'wrong_instance',
    })
    expect(await verifyAllotment(token, { ...expected, now: allotment.exp })).toMatchObject({
      reason: 'expired',
    })
  })

  test.each([
    ['a tier outside the grant', { tier: 'pro' }, 'forbidden_member tier'],
    ['features outside the grant', { features: [] }, 'forbidden_member features'],
    ['quotas in the grant', { grant: { ...allotment.grant, quotas: {} } }, 'forbidden_member grant.quotas'],
    ['a grant without a tier', { grant: without(allotment.grant, 'tier') }, 'missing_member grant.tier'],
    ['less than no seats', { seats: -1 }, 'bad_member seats'],
    ['half a seat', { seats: 0.5 }, 'bad_member seats'],
    ['a life over 30 days', { exp: NOW + ALLOTMENT_LIFE + 1 }, 'bad_member exp'],
    ['no life', { exp: NOW }, 'bad_member exp'],
    ['no key', { cnf: {} }, 'bad_member cnf'],
    ['a key by its address', { cnf: { jku: 'https://evil.example.com' } }, 'bad_member cnf'],
    ['a second way to a key', { cnf: { ...allotment.cnf, kid: 'x' } }, 'bad_member cnf'],
    ['a private key', { cnf: { jwk: { ...allotment.cnf.jwk, d: relay.x } } }, 'bad_member cnf'],
    ['a key of another curve', { cnf: { jwk: { ...allotment.cnf.jwk, crv: 'X25519' } } }, 'bad_member cnf'],
  ])('with %s is refused', (_, change, why) => {
    const read = readAllotmentClaims({ ...allotment, ...change })
    expect(read.ok ? 'ok' : `${read.reason} ${read.detail}`).toBe(why)
  })

  test('signed before its key was valid is refused', async () => {
    const late = trustKeys([await trust(vendor, { use: 'control', nbf: NOW + 1 })])
    const token = signAllotment(allotment)
    expect(await verifyAllotment(token, { ...expected, keys: late })).toMatchObject({
      reason: 'key_not_yet_valid',
    })
  })
})

describe('a relay lease', () => {
  test('is worth what its allotment grants, through the last second before its exp', async () => {
    const token = await signLease(lease)
    const verified = await verifyRelayLease(token, { ...expected, now: lease.exp - 1 })
    expect(verified).toMatchObject({ ok: true, claims: lease, allotment })
    expect(await outcome(token, { now: lease.exp })).toBe('expired')
    expect(await outcome(token, { now: lease.exp, age: 'any' })).toBe('ok')
  })

  test('of another instance, product or issuer is refused', async () => {
    const token = await signLease(lease)
    expect(await outcome(token, { instanceId: 'another' })).toBe('wrong_instance')
    expect(await outcome(token, { product: 'another' })).toMatch(/^wrong_product/)
    expect(await outcome(token, { issuer: 'https://evil.example.com' })).toBe('wrong_issuer')
  })

  test.each<[string, object, string]>([
    ['that outlives its allotment', { exp: allotment.exp + 1 }, 'bad_member exp'],
    ['that ends as it begins', { exp: NOW }, 'bad_member exp'],
    ['of another relay', { iss: 'rly_2' }, 'wrong_issuer'],
    ['for another product than the allotment', { aud: 'other' }, 'wrong_audience'],
    ['with a tier of its own', { tier: 'enterprise' }, 'forbidden_member tier'],
    ['with limits of its own', { limits: {} }, 'forbidden_member limits'],
    ['with a grant of its own', { grant: allotment.grant }, 'forbidden_member grant'],
    ['with an action', { action: 'none' }, 'forbidden_member action'],
    ['without an allotment', { allotment: undefined }, 'missing_member allotment'],
    ['with something else as its allotment', { allotment: 7 }, 'bad_member allotment'],
    [
      'with an allotment that a stranger signed',
      { allotment: signAllotment(allotment, stranger) },
      'bad_signature',
    ],
    [
      'with an allotment under a key that nobody trusts',
      { allotment: signAllotment(allotment, stranger, strangerKid) },
      `unknown_key ${strangerKid}`,
    ],
    [
      'with an allotment whose key the relay exchanged',
      { allotment: lease.allotment.replace(/\.[^.]+\./, `.${encode(allotmentClaims(stranger.x))}.`) },
      'bad_signature',
    ],
  ])('%s is refused', async (_, change, why) => {
    expect(await outcome(await signLease({ ...lease, ...change }))).toBe(why)
  })

  test('signed by anybody but the relay is refused, the vendor included', async () => {
    expect(await outcome(await signLease(lease, stranger))).toMatch(/^unknown_key/)
    expect(await outcome(await signLease(lease, vendor))).toMatch(/^unknown_key/)
    const kid = await keyThumbprint(relay.raw)
    expect(await outcome(await signLease(lease, stranger, { kid }))).toBe('bad_signature')
    expect(await outcome(await signLease(lease, relay, { jwk: allotment.cnf.jwk }))).toBe(
      'forbidden_header jwk',
    )
  })

  test('of a lease is no lease: a relay delegates nothing', async () => {
    const inner = await signLease(lease)
    expect(await outcome(await signLease({ ...lease, allotment: inner }))).toBe('wrong_typ')
  })

  test('of an allotment that has ended is refused, whatever its own dates', async () => {
    const ended = signAllotment({ ...allotment, nbf: NOW - 100, exp: NOW + 5 })
    expect(await outcome(await signLease({ ...lease, exp: NOW + 5, allotment: ended }))).toBe('expired')
  })
})

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
