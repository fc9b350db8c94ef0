// Seats that a relay leases while the vendor is away, and a relay that gives old answers again: what the SDK makes of both.
import { beforeEach, describe, expect, test } from 'vitest'
import { allotmentClaims, makePair, nodeJws, relayLeaseClaims } from '../../unit/license/fixtures.ts'
import {
  DAY,
  HOUR,
  json,
  makeWorld,
  PRODUCT,
  type Received,
  start,
  thumbprint,
  type World,
} from './support/world.ts'

const relay = makePair()
const stranger = makePair()
const INSTANCE = 'site-1'

let world: World
beforeEach(() => {
  world = makeWorld()
})

/** Signed by the vendor a day ago, for 20 days: tier pro, 5 days of grace. */
function allotment(claims: object = {}, pair = world.server.controlPair): string {
  const now = world.server.iat()
  return nodeJws(
    pair,
    { alg: 'EdDSA', typ: 'leasehold-allotment+jwt', kid: thumbprint(world.server.controlPair) },
    {
      ...allotmentClaims(relay.x),
      license_id: 'lic_1',
      nbf: now - 86_400,
      exp: now + 19 * 86_400,
      grant: {
        customer_id: 'cus_1',
        tier: 'pro',
        features: ['oidc', 'audit_logs'],
        limits: { max_agents: 100, max_users: -1 },
        grace_days: 5,
        org_name: 'Acme',
      },
      ...claims,
    },
  )
}

function lease(claims: object = {}, of = allotment(), pair = relay): string {
  const iat = world.server.iat()
  return nodeJws(
    pair,
    { alg: 'EdDSA', typ: 'leasehold-lease+jwt', kid: thumbprint(pair) },
    { ...relayLeaseClaims(of), aud: PRODUCT, sub: INSTANCE, iat, exp: iat + 86_400, ...claims },
  )
}

/** The relay without its vendor: leases, and no directive. */
const leasing = (token: () => string) => (request: Received) =>
  /token|activate|validate/.test(request.path)
    ? json({ lease: token(), expires_in: 86_400, message: 'leased', status: 'active' }, 200, {
        'Leasehold-Cache': 'grace; age=7200',
      })
    : json({ status: 'ok', config: {} }, 200, { 'Leasehold-Cache': 'grace; age=7200' })
const KEY = { apiKey: 'sk-1', instanceId: INSTANCE }

describe('a seat that a relay leased', () => {
  test('gives the rights of the allotment, says who leased it, and is kept as any grant', async () => {
    world.server.override = leasing(lease)
    const { license } = await start(world, KEY)
    expect(license).toMatchObject({ state: 'ACTIVE', source: 'online', tier: 'pro' })
    expect([license.has('oidc'), license.limit('max_agents'), license.limit('max_users')]).toEqual([
      true,
      100,
      Number.POSITIVE_INFINITY,
    ])
    expect(license.explain()).toMatchObject({ relay: 'rly_1', customer: 'Acme', licenseId: 'lic_1' })
    expect(license.explain().text).toContain('Leased by relay: rly_1')
    expect(license.diagnostics()).toMatchObject({ relayCache: 'grace; age=7200', lastContactAt: null })
    await license.stop()
    world.server.down = true
    const { license: again } = await start(world, KEY)
    expect(again).toMatchObject({ state: 'ACTIVE', source: 'cache', tier: 'pro' })
    expect(again.explain().relay).toBe('rly_1')
  })

  test('ends at its own end without grace, for its seat passes on then, and is renewed before (T10)', async () => {
    world.server.override = leasing(lease)
    const { license } = await start(world, KEY)
    await world.time.advance(3 * DAY)
    expect(license.state).toBe('ACTIVE')
    expect(world.server.paths().filter((path) => path === 'token').length).toBeLessThan(15)
    world.server.down = true
    await world.time.advance(0.4 * DAY)
    expect(license.state).toBe('ACTIVE')
    await world.time.advance(0.7 * DAY)
    expect(license).toMatchObject({ state: 'EXPIRED', tier: 'free' })
  })

  test('never outlives the license’s end and grace', async () => {
    const now = world.server.iat()
    const rights = { customer_id: 'c', tier: 'pro', features: [], limits: {}, grace_days: 1 }
    const ending = allotment({ grant: { ...rights, license_exp: now + 3600 } })
    world.server.override = leasing(() => lease({}, ending))
    const { license } = await start(world, KEY)
    world.server.down = true
    await world.time.advance(2 * HOUR)
    expect(license).toMatchObject({ state: 'GRACE', reason: 'license_expired' })
    await world.time.advance(DAY)
    expect(license.state).toBe('EXPIRED')
  })

  test.each([0, 120, -120])(
    'gives way to the vendor’s JWT, with the relay’s clock %i s ahead',
    async (ahead) => {
      world.server.override = leasing(() => lease({ iat: world.server.iat() + ahead }))
      const { license } = await start(world, KEY)
      expect(license.explain().relay).toBe('rly_1')
      world.server.override = null
      world.server.license = { tier: 'enterprise' }
      await license.refreshNow()
      expect(license).toMatchObject({ state: 'ACTIVE', tier: 'enterprise' })
      expect(license.explain().relay).toBeNull()
    },
  )

  test('does not give way to an old JWT that has ended', async () => {
    const old = world.server.jwt({ instance_id: INSTANCE, exp: world.server.iat() + 60, grace_days: 0 })
    await world.time.advance(HOUR)
    world.server.override = leasing(lease)
    const { license } = await start(world, KEY)
    world.server.override = () => json({ jwt: old, expires_in: 60 })
    await license.refreshNow()
    expect(license).toMatchObject({ state: 'ACTIVE', tier: 'pro' })
    expect(license.explain().relay).toBe('rly_1')
  })

  test('is dead after a rejection that is newer than its allotment, and alive out of a later one', async () => {
    const { license } = await start(world, KEY)
    const before = allotment()
    await world.time.advance(HOUR)
    world.server.directive = { status: 'suspended' }
    await license.refreshNow()
    expect(license.state).toBe('INVALID')
    await world.time.advance(HOUR)
    world.server.override = leasing(() => lease({}, before))
    await license.refreshNow()
    expect(license).toMatchObject({ state: 'INVALID', reason: 'license_suspended', tier: 'free' })
    world.server.override = leasing(() => lease({}, allotment({ nbf: world.server.iat() })))
    await license.refreshNow()
    expect(license).toMatchObject({ state: 'ACTIVE', tier: 'pro' })
  })

  test('does not tell the time: a relay whose clock is days ahead ends nothing', async () => {
    const now = world.server.iat()
    const ahead = { iat: now + 10 * 86_400, exp: now + 11 * 86_400 }
    world.server.override = leasing(() => lease(ahead))
    const { license } = await start(world, KEY)
    const { clock } = license.diagnostics()
    expect(Date.parse(clock.counted)).toBeLessThan(world.time.wall() + 60_000)
    expect(license.state).toBe('ACTIVE')
  })

  const refused: [string, () => string, RegExp][] = [
    ['signed by another key than the allotment’s', () => lease({}, allotment(), stranger), /unknown_key/],
    [
      'that outlives its allotment',
      () => lease({ exp: world.server.iat() + 20 * 86_400 }),
      /bad_member: exp/,
    ],
    ['of another instance', () => lease({ sub: 'site-2' }), /wrong_instance/],
    ['of another product', () => lease({ aud: 'other' }), /wrong_audience/],
    ['out of a foreign product’s allotment', () => lease({}, allotment({ aud: 'other' })), /wrong_audience/],
    ['out of an allotment that a stranger signed', () => lease({}, allotment({}, stranger)), /bad_signature/],
    ['of another relay’s allotment', () => lease({ iss: 'rly_2' }), /wrong_issuer/],
    ['with a tier of its own', () => lease({ tier: 'enterprise' }), /forbidden_member: tier/],
    ['that is an allotment itself', () => allotment(), /wrong_typ/],
  ]
  test.each(refused)('%s is refused, and explain() says why', async (_, token, reason) => {
    world.server.override = leasing(token)
    const { license } = await start(world, KEY)
    expect(license).toMatchObject({ state: 'ABSENT', tier: 'free' })
    const { tried } = license.explain()
    expect(tried.find(({ step }) => step === 'api_key')?.outcome).toMatch(reason)
    expect([...world.folder.files.keys()]).not.toContain('license-cache.jwt')
  })

  test('is no confirmation of a license key, which keeps the one that it has', async () => {
    const key = { licenseKey: world.server.licenseKey(), instanceId: INSTANCE }
    const use = () => JSON.parse(world.folder.files.get('state.json') ?? '').key_use
    world.server.override = leasing(lease)
    const { license } = await start(world, key)
    expect(license).toMatchObject({ state: 'ACTIVE', source: 'online' })
    await license.stop()
    expect(use()).toMatchObject({ confirmed_at: null })
    world.server.override = null
    const confirmed = await start(world, key)
    await confirmed.license.stop()
    const before = use()
    expect(before.confirmed_at).toEqual(expect.any(Number))
    await world.time.advance(HOUR)
    world.server.override = leasing(lease)
    const leased = await start(world, key)
    await leased.license.stop()
    expect(use()).toEqual(before)
  })
})

test('a relay that gives the same old JWT again confirms nothing, and is not asked without rest', async () => {
  world.server.license = { grace_days: 2 }
  const { license } = await start(world, { licenseKey: world.server.licenseKey(), instanceId: INSTANCE })
  await license.refreshNow()
  const issued = world.server.iat()
  const jwt = world.server.jwt({ instance_id: INSTANCE })
  await license.refreshNow()
  const kept = () => JSON.parse(world.folder.files.get('state.json') ?? '').key_use.confirmed_at
  world.server.override = () => json({ status: 'valid', jwt, expires_in: 86_400, config: {} })
  const sent = world.server.received.length
  await world.time.advance(1.5 * DAY)
  await license.refreshNow()
  expect(kept()).toBe(issued)
  expect(license.state).toBe('GRACE')
  expect(world.server.received.length - sent).toBeLessThan(1.5 * 24 * 2)
  await world.time.advance(2 * DAY)
  expect(license).toMatchObject({ state: 'EXPIRED', tier: 'free' })
})
