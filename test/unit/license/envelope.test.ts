import { sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { capsOfEnvelope } from '../../../src/license/effective-limits.ts'
import { type EnvelopeExpectation, verifyEnvelope } from '../../../src/license/envelope.ts'
import { trustKeys } from '../../../src/license/trusted-keys.ts'
import { INSTANCE, makePair, NOW, type Pair, PRODUCT, trust } from './fixtures.ts'

const DAY = 86_400
const pair = makePair()
const keys = trustKeys([await trust(pair, { use: 'raw' })])
const UUID = '0190c2e4-7b1a-7c3d-8e4f-0123456789ab'
const payload = {
  exp: NOW + DAY,
  gracePeriodDays: 2,
  iat: NOW,
  label: 'Acme',
  licenseId: UUID,
  limits: { max_agents: 7, max_apps: 2_147_483_647 },
  tenantId: 'acme',
}
const expected: EnvelopeExpectation = {
  product: PRODUCT,
  keys,
  tenantId: 'acme',
  now: NOW,
  age: 'within_grace',
}

function envelope(content: unknown, by: Pair = pair): string {
  const bytes = Buffer.from(typeof content === 'string' ? content : JSON.stringify(content))
  return `${bytes.toString('base64')}.${sign(null, bytes, by.privateKey).toString('base64')}`
}

/** Padded, so that the two letters of the other alphabet alone are what is wrong. */
const base64url = (token: string) => token.replaceAll('+', '-').replaceAll('/', '_')

describe('an envelope', () => {
  test('is read with all its members', async () => {
    const full = { ...payload, tier: 'pro', features: ['oidc'], instanceId: INSTANCE }
    expect(await verifyEnvelope(envelope(full), { ...expected, instanceId: INSTANCE })).toMatchObject({
      ok: true,
      claims: full,
    })
  })

  test('takes its defaults where a member is left out, and leaves out what it does not know', async () => {
    const { gracePeriodDays: _g, iat: _i, label: _l, limits: _m, ...rest } = payload
    expect(await verifyEnvelope(envelope({ ...rest, extra: 1 }), expected)).toMatchObject({
      claims: { ...rest, gracePeriodDays: 0, iat: NOW, limits: {} },
    })
    const none = {
      gracePeriodDays: null,
      iat: null,
      limits: null,
      tier: null,
      features: null,
      instanceId: null,
    }
    const read = await verifyEnvelope(envelope({ ...rest, ...none, label: '' }), expected)
    expect(read.ok && read.claims).toEqual({ ...rest, gracePeriodDays: 0, iat: NOW, limits: {} })
  })

  test.each([
    ['Invalid license token format: expected payload.signature', 'abc'],
    ['Invalid license token format: expected payload.signature', 'a.b.c'],
    ['License token is not valid base64', envelope(payload).replaceAll('=', '')],
    ['License signature verification failed', envelope(payload, makePair())],
    ['Failed to parse license payload', envelope('{"exp":')],
    ['licenseId is required', envelope({ ...payload, licenseId: undefined, tenantId: undefined })],
    ['License token is not valid base64', base64url(envelope({ ...payload, label: '>>>???' }))],
    ['Failed to parse license payload', envelope('[]')],
    ['licenseId is required', envelope({ ...payload, licenseId: ' ' })],
    ['tenantId is required', envelope({ ...payload, tenantId: ' ' })],
    ['exp is required', envelope({ ...payload, exp: null })],
    ['licenseId is not a valid UUID: 7', envelope({ ...payload, licenseId: '7' })],
    ['tenantId is required', envelope({ ...payload, tenantId: '' })],
    [
      "License tenantId 'other' does not match server tenant 'acme'",
      envelope({ ...payload, tenantId: 'other' }),
    ],
    ['exp is required', envelope({ ...payload, exp: undefined, gracePeriodDays: -1 })],
    ['gracePeriodDays must be >= 0', envelope({ ...payload, gracePeriodDays: -1 })],
    ['limits is not valid', envelope({ ...payload, limits: { max_agents: 1.5 } })],
    ['limits is not valid', envelope({ ...payload, limits: { max_agents: '7' } })],
  ])('is refused with "%s"', async (message, token) => {
    expect(await verifyEnvelope(token, expected)).toMatchObject({ ok: false, message })
  })

  test('holds through the last second of its grace', async () => {
    const end = payload.exp + 2 * DAY
    expect((await verifyEnvelope(envelope(payload), { ...expected, now: end })).ok).toBe(true)
    expect(await verifyEnvelope(envelope(payload), { ...expected, now: end + 1 })).toEqual({
      ok: false,
      reason: 'expired',
      message: 'License expired at 2027-01-16T08:00:00Z (grace period 2 days)',
    })
    expect((await verifyEnvelope(envelope(payload), { ...expected, now: end + 1, age: 'any' })).ok).toBe(true)
  })

  test.each([
    [0, '1970-01-01T00:00:00Z'],
    [253_402_300_799, '9999-12-31T23:59:59Z'],
  ])('that ended at %i says so as Instant does: %s', async (exp, at) => {
    const now = exp + 1
    expect(
      await verifyEnvelope(envelope({ ...payload, exp, gracePeriodDays: 0 }), { ...expected, now }),
    ).toEqual({
      ok: false,
      reason: 'expired',
      message: `License expired at ${at} (grace period 0 days)`,
    })
  })

  test('may carry −1, as a vendor writes it who takes it for unlimited: it is read, and allows nothing', async () => {
    const read = await verifyEnvelope(envelope({ ...payload, limits: { max_agents: -1 } }), expected)
    expect(read).toMatchObject({ ok: true, claims: { limits: { max_agents: -1 } } })
    expect(read.ok && capsOfEnvelope(read.claims.limits)).toEqual({ max_agents: 0 })
  })

  test('is refused for its first fault, in the order of the reference', async () => {
    const now = payload.exp + 99 * DAY
    const faults = [
      { licenseId: undefined },
      { licenseId: 'x' },
      { tenantId: undefined },
      { tenantId: 'other' },
      { exp: undefined },
      { gracePeriodDays: -1 },
      {},
    ]
    const found: string[] = []
    for (let i = 0; i < faults.length; i++) {
      // This fault with all later ones; an earlier one of the same member would hide it.
      const all = Object.assign({ ...payload }, ...faults.slice(i).reverse())
      const result = await verifyEnvelope(envelope(all), { ...expected, now })
      found.push(result.ok ? 'ok' : result.message)
    }
    expect(found).toEqual([
      'licenseId is required',
      'licenseId is not a valid UUID: x',
      'tenantId is required',
      "License tenantId 'other' does not match server tenant 'acme'",
      'exp is required',
      'gracePeriodDays must be >= 0',
      'License expired at 2027-01-16T08:00:00Z (grace period 2 days)',
    ])
  })

  test('of another instance, another product or another use of a key is refused', async () => {
    const bound = envelope({ ...payload, instanceId: 'other' })
    expect(await verifyEnvelope(bound, { ...expected, instanceId: INSTANCE })).toMatchObject({
      reason: 'wrong_instance',
    })
    expect(await verifyEnvelope(envelope(payload), { ...expected, product: 'other' })).toMatchObject({
      reason: 'bad_signature',
    })
    const otherUse = trustKeys([await trust(pair, { use: 'license' })])
    expect(await verifyEnvelope(envelope(payload), { ...expected, keys: otherUse })).toMatchObject({
      reason: 'bad_signature',
    })
  })
})
