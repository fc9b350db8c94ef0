import { describe, expect, test } from 'vitest'
import type { KeyStatus, KeyUse } from '../../../src/contract/claims.ts'
import type { LicenseChange } from '../../../src/sdk/public/license.ts'
import { makePair, type Pair } from '../../unit/license/fixtures.ts'
import { DAY, HOUR, ISSUER, json, makeWorld, start, thumbprint, warnings } from './support/world.ts'

const MINUTE = 60_000

describe('a fresh directive', () => {
  test('that revokes takes the license away at once, and later outages and restarts change nothing', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    const changes: LicenseChange[] = []
    license.on('change', (change) => changes.push(change))
    world.server.directive = { status: 'revoked', reason: 'license_revoked' }
    await license.refreshNow()
    expect(license).toMatchObject({ state: 'INVALID', reason: 'license_revoked', source: 'community' })
    expect(changes).toHaveLength(1)
    expect(changes[0]).toMatchObject({
      why: 'the server said: revoked (license_revoked)',
      featuresRemoved: ['audit_logs', 'oidc'],
      limitsChanged: ['max_agents', 'max_users'],
    })
    world.server.down = true
    await world.time.advance(2 * DAY)
    expect(license.state).toBe('INVALID')
    await license.stop()
    const restarted = await start(world, { apiKey: 'sk-1' })
    expect(restarted.license).toMatchObject({ state: 'INVALID', reason: 'license_revoked' })
  })

  test('after a rejection the instance asks hourly, and a later grant lifts it', async () => {
    const world = makeWorld()
    world.server.directive = { status: 'suspended', reason: 'license_suspended' }
    const { license } = await start(world, { apiKey: 'sk-1' })
    expect(license.reason).toBe('license_suspended')
    await world.time.advance(5 * HOUR + 10 * MINUTE)
    const asked = world.server.paths().filter((path) => path === 'token').length
    expect(asked).toBeGreaterThanOrEqual(6)
    expect(asked).toBeLessThanOrEqual(7)
    world.server.directive = {}
    await world.time.advance(HOUR)
    expect(license.state).toBe('ACTIVE')
  })

  test('is read from a 403, and a plain body takes nothing', async () => {
    for (const [withDirective, state] of [
      [true, 'INVALID'],
      [false, 'ACTIVE'],
    ] as const) {
      const world = makeWorld()
      const { license } = await start(world, { apiKey: 'sk-1' })
      world.server.override = ({ body }) =>
        json(
          {
            error: 'license_revoked',
            status: 'revoked',
            action: 'kill',
            ...(withDirective ? { directive: world.server.directiveFor(body, { status: 'revoked' }) } : {}),
          },
          403,
        )
      await license.refreshNow()
      expect(license).toMatchObject({ state, killed: false })
    }
  })

  test('is not obeyed for another nonce, instance, issuer or product, nor by a foreign key', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    const seen = world.server.received[0]
    const kill = { action: 'kill' } as const
    const stale = world.server.directiveFor(seen?.body, kill)
    const other = makePair()
    const own = world.server.controlPair
    const forge = (body: { instance_id: string; nonce: string }) => {
      world.server.controlPair = other
      const forged = world.server.directiveFor(body, kill)
      world.server.controlPair = own
      return forged
    }
    for (const directive of [
      () => stale,
      (body: { instance_id: string; nonce: string }) =>
        world.server.directiveFor({ ...body, instance_id: 'x' }, kill),
      (body: { instance_id: string; nonce: string }) =>
        world.server.directiveFor(body, { ...kill, iss: 'https://x' }),
      (body: { instance_id: string; nonce: string }) =>
        world.server.directiveFor(body, { ...kill, aud: 'other' }),
      forge,
    ]) {
      world.server.override = ({ body }) => json({ error: 'internal_error', directive: directive(body) }, 500)
      await license.refreshNow()
      expect(license).toMatchObject({ killed: false, state: 'ACTIVE' })
    }
  })
})

describe('an action', () => {
  test('kill gives the community tier, survives restarts, stops activation, and is acknowledged', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    world.server.directive = { action: 'kill', seq: 42, reason: 'admin' }
    await license.refreshNow()
    expect(license).toMatchObject({
      killed: true,
      tier: 'free',
      source: 'community',
      reason: 'instance_killed',
    })
    expect(license.has('oidc')).toBe(false)
    await world.time.advance(2 * MINUTE)
    expect(world.server.last('heartbeat')?.body).toMatchObject({ ack: 42, has_valid_entitlement: false })
    await license.stop()

    world.server.received.length = 0
    world.server.down = true
    const { license: restarted } = await start(world, { apiKey: 'sk-1' })
    expect(restarted.killed).toBe(true)
    world.server.down = false
    await world.time.advance(5 * HOUR)
    expect(world.server.paths()).not.toContain('token')
    expect(world.server.paths().filter((path) => path === 'heartbeat').length).toBeGreaterThanOrEqual(4)

    world.server.directive = { action: 'none', seq: 43 }
    await world.time.advance(HOUR + MINUTE)
    expect(restarted).toMatchObject({ killed: false, state: 'ACTIVE', tier: 'pro' })
    expect(world.server.paths()).toContain('token')
  })

  test('downgrade gives the community tier through restarts, and its end brings the license back', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    world.server.directive = { action: 'downgrade', seq: 2 }
    await license.refreshNow()
    expect(license).toMatchObject({ downgraded: true, state: 'ACTIVE', tier: 'free', source: 'community' })
    await license.stop()
    world.server.down = true
    const { license: restarted } = await start(world, { apiKey: 'sk-1' })
    expect(restarted).toMatchObject({ downgraded: true, tier: 'free' })
    world.server.down = false
    world.server.directive = { seq: 3 }
    await restarted.refreshNow()
    expect(restarted).toMatchObject({ downgraded: false, tier: 'pro' })
  })
})

describe('the key set', () => {
  const rotated = (world: ReturnType<typeof makeWorld>, status: 'retiring' | 'revoked') => {
    const { licensePair, controlPair } = world.server
    const role = { product: 'keldris', nbf: 0 } as const
    const key = (pair: Pair, use: KeyUse, is: KeyStatus) => ({
      kid: thumbprint(pair),
      x: pair.x,
      use,
      status: is,
      ...role,
    })
    world.server.keySetNumber++
    world.server.licensePair = makePair()
    world.server.controlPair = makePair()
    world.server.keySetKeys = [
      key(licensePair, 'license', status),
      key(controlPair, 'control', status),
      key(world.server.licensePair, 'license', 'active'),
      key(world.server.controlPair, 'control', 'active'),
    ]
  }

  test('is followed when the keys rotate, and fetched no more than once in 30 seconds', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    expect(world.server.keySetFetches).toBe(1)
    rotated(world, 'retiring')
    await world.time.advance(MINUTE)
    await license.refreshNow()
    expect(license.state).toBe('ACTIVE')
    expect(license.diagnostics().keySetNumber).toBe(8)
    expect(world.server.keySetFetches).toBe(2)
    world.server.licensePair = makePair()
    world.server.controlPair = makePair()
    for (let i = 0; i < 5; i++) await license.refreshNow()
    expect(world.server.keySetFetches).toBe(2)
    expect(license.state).toBe('ACTIVE')
  })

  test('that is frozen gives but does not take', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    const published = world.server.keySet()
    const genuine = world.server.keySet
    // The directives name a newer set that someone keeps from us.
    world.server.keySetNumber++
    world.server.keySet = () => published
    world.server.directive = { action: 'kill' }
    await world.time.advance(MINUTE)
    await license.refreshNow()
    expect(license.killed).toBe(false)
    world.server.directive = {}
    await license.refreshNow()
    expect(license.state).toBe('ACTIVE')
    world.server.keySet = genuine
    world.server.directive = { action: 'kill' }
    await world.time.advance(MINUTE)
    await license.refreshNow()
    expect(license.killed).toBe(true)
  })

  test('with a lower number, or by another root, is refused', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    const root = world.server.root
    world.server.root = makePair()
    rotated(world, 'retiring')
    await world.time.advance(MINUTE)
    await license.refreshNow()
    expect(license.diagnostics().keySetNumber).toBe(7)
    world.server.root = root
    world.server.keySetNumber = 6
    await world.time.advance(MINUTE)
    await license.refreshNow()
    expect(license.diagnostics().keySetNumber).toBe(7)
    expect(warnings(world).join()).toContain('unknown_key')
  })

  test('that revokes the key of the license leaves time for a new one, and then ends it', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.advance(MINUTE)
    const changes: LicenseChange[] = []
    license.on('change', (change) => changes.push(change))
    rotated(world, 'revoked')
    await license.refreshNow()
    await world.time.advance(5 * MINUTE)
    expect(license.state).toBe('ACTIVE')
    expect(changes).toEqual([])

    rotated(world, 'revoked')
    world.server.override = ({ path, body }) =>
      path.endsWith('/token')
        ? json({ error: 'internal_error', directive: world.server.directiveFor(body) }, 500)
        : null
    await license.refreshNow()
    await world.time.advance(2 * MINUTE)
    expect(license).toMatchObject({ state: 'INVALID', reason: 'key_revoked' })
  })
})

describe('keys that are pinned by hand, without a root', () => {
  const byHand = (world: ReturnType<typeof makeWorld>) => {
    const { licensePair, controlPair } = world.server
    const keys = [
      { x: licensePair.x, use: 'license' as const },
      { x: controlPair.x, use: 'control' as const },
    ]
    return { apiKey: 'sk-1', trust: { issuer: ISSUER, keys } }
  }

  test('verify licenses and directives, those that take too, and no key set is asked for', async () => {
    const world = makeWorld()
    const { license } = await start(world, byHand(world))
    expect(license).toMatchObject({ state: 'ACTIVE', tier: 'pro' })
    world.server.directive = { action: 'kill' }
    await license.refreshNow()
    expect(license.killed).toBe(true)
    world.server.directive = {}
    await license.refreshNow()
    expect(license).toMatchObject({ killed: false, state: 'ACTIVE' })
    world.server.directive = { status: 'revoked' }
    await license.refreshNow()
    expect(license).toMatchObject({ state: 'INVALID', reason: 'license_revoked' })
    expect(world.server.keySetFetches).toBe(0)
    expect(license.explain().directives).toBe('pinned_keys')
  })

  test('believe no directive under the license key, and no license under the control key (T4)', async () => {
    const world = makeWorld()
    const { license } = await start(world, byHand(world))
    const { licensePair, controlPair } = world.server
    world.server.controlPair = licensePair
    world.server.directive = { action: 'kill' }
    await license.refreshNow()
    expect(license.killed).toBe(false)
    expect(warnings(world).join()).toContain('wrong_use')
    world.server.controlPair = controlPair
    world.server.licensePair = controlPair
    world.server.directive = {}
    world.server.license = { tier: 'enterprise' }
    await license.refreshNow()
    expect(license.tier).toBe('pro')
  })
})
