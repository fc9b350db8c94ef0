import { sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { startLicenseOn } from '../../../src/sdk/start.ts'
import { makePair, nodeJws } from '../../unit/license/fixtures.ts'
import {
  DAY,
  fakeServer,
  HOUR,
  ISSUER,
  json,
  makeWorld,
  start,
  type World,
  warnings,
} from './support/world.ts'

describe('the start with an API key', () => {
  test('exchanges it, registers, sends a heartbeat, and keeps what it learned', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    expect(license).toMatchObject({ state: 'ACTIVE', source: 'online', tier: 'pro', reason: null })
    expect([license.has('audit_logs'), license.has('basic'), license.has('sso')]).toEqual([true, true, false])
    expect([license.limit('max_agents'), license.limit('max_users')]).toEqual([100, Number.POSITIVE_INFINITY])
    await world.time.settle()
    expect(world.server.paths()).toEqual(['token', 'register', 'heartbeat'])
    expect(world.server.received[0]).toMatchObject({ bearer: 'sk-1', body: { version: '1.4.0' } })
    expect(world.server.received[1]).toMatchObject({ bearer: 'sk-1', body: { hostname: 'box', tier: 'pro' } })
    expect(world.server.received[2]?.bearer).toBe('lit_1')
    expect(world.folder.files.get('license-cache.jwt')).toMatch(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/)
    await license.stop()
    const asked = world.server.received.length
    await world.time.advance(2 * DAY)
    expect(world.server.received).toHaveLength(asked)
  })

  test('takes the connect timeout and no longer when the server is dead, and says why', async () => {
    const world = makeWorld()
    world.server.down = 'hang'
    const { license, took } = await start(world, { apiKey: 'sk-1' })
    expect(took).toBeLessThanOrEqual(10_500)
    expect(license).toMatchObject({ state: 'ABSENT', source: 'community', tier: 'free' })
    expect(license.limit('max_agents')).toBe(3)
    await world.time.advance(1000)
    expect(license.explain().tried).toContainEqual(
      expect.objectContaining({ step: 'api_key', outcome: 'server_unreachable' }),
    )
  })

  test('goes on to the license once the server answers', async () => {
    const world = makeWorld()
    world.server.down = true
    const { license } = await start(world, { apiKey: 'sk-1' })
    const changes: string[] = []
    license.on('change', ({ after, why }) => changes.push(`${after.state} ${after.tier}: ${why}`))
    world.server.down = false
    await world.time.advance(3 * 60_000)
    expect(license.state).toBe('ACTIVE')
    expect(changes).toEqual(['ACTIVE pro: the server said: active'])
  })

  test('does not wait for the network with an unexpired cache of the same key', async () => {
    const world = makeWorld()
    await (await start(world, { apiKey: 'sk-1' })).license.stop()
    world.server.down = 'hang'
    const { license, took } = await start(world, { apiKey: 'sk-1' })
    expect(took).toBe(0)
    expect(license).toMatchObject({ state: 'ACTIVE', source: 'cache', tier: 'pro' })
    expect(warnings(world)).toEqual([])
    await world.time.advance(11_000)
    expect(warnings(world)).toContain('warn Using cached license (API key fetch failed)')
    expect(license.state).toBe('ACTIVE')
  })

  test('waits for the exchange when the cache is of another key, and falls back on it', async () => {
    const world = makeWorld()
    await (await start(world, { apiKey: 'sk-1' })).license.stop()
    world.server.down = 'hang'
    const { license, took } = await start(world, { apiKey: 'sk-2' })
    expect(took).toBeGreaterThanOrEqual(10_000)
    expect(license).toMatchObject({ state: 'ACTIVE', source: 'cache' })
  })

  test('waits when the cache has expired, and uses it within its grace, with one warning', async () => {
    const world = makeWorld()
    await (await start(world, { apiKey: 'sk-1' })).license.stop()
    world.server.down = 'hang'
    world.time.shiftWall(3 * DAY)
    const { license, took } = await start(world, { apiKey: 'sk-1' })
    expect(took).toBeGreaterThanOrEqual(10_000)
    expect(license).toMatchObject({ state: 'GRACE', source: 'cache', reason: 'lease_expired' })
    await world.time.advance(HOUR)
    const cached = warnings(world).filter((line) => line.includes('cached'))
    expect(cached).toEqual(['warn Using cached license (expired, within grace period)'])
  })

  test('degrades to the community tier when the cache is past its grace', async () => {
    const world = makeWorld()
    await (await start(world, { apiKey: 'sk-1' })).license.stop()
    world.server.down = true
    world.time.shiftWall(32 * DAY)
    const { license } = await start(world, { apiKey: 'sk-1' })
    expect(license).toMatchObject({ state: 'EXPIRED', source: 'community', reason: 'license_expired' })
  })

  test('sets a cache aside that is torn, foreign or of another instance, and never one of a key to come', async () => {
    const stranger = fakeServer({ wall: () => Date.now() })
    for (const [content, kept] of [
      ['eyJhbGciOiJFZERTQSJ9.e', false],
      [stranger.jwt({ iss: 'https://evil.example' }), false],
      [stranger.jwt({ instance_id: 'someone-else' }), false],
      [nodeJws(makePair(), { alg: 'EdDSA', typ: 'leasehold-license+jwt', kid: 'tomorrow' }, {}), true],
    ] as const) {
      const world = makeWorld()
      world.server.override = () => json({ error: 'internal_error', message: 'no' }, 500)
      world.folder.files.set('license-cache.jwt', content)
      const { license } = await start(world, { apiKey: 'sk-1' })
      expect(license.source).toBe('community')
      expect(world.folder.files.has('license-cache.jwt')).toBe(kept)
      expect(world.folder.files.has('license-cache.jwt.aside')).toBe(!kept)
    }
  })

  test('an unknown key is no rejection: the cache stays in force, and the server is asked hourly', async () => {
    const world = makeWorld()
    await (await start(world, { apiKey: 'sk-1' })).license.stop()
    world.server.received.length = 0
    world.server.override = ({ path }) =>
      path.endsWith('/token')
        ? json({ error: 'api_key_revoked', message: 'API key has been revoked' }, 401)
        : null
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.advance(6 * HOUR)
    expect(license.state).toBe('ACTIVE')
    const asked = world.server.paths().filter((path) => path === 'token').length
    expect(asked).toBeGreaterThanOrEqual(6)
    expect(asked).toBeLessThanOrEqual(8)
    expect(world.lines).toContain('warn License refresh failed: API key has been revoked')
  })

  test('one that cannot stand in a header is told, and never sent', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1\nX: y' })
    expect(license).toMatchObject({ state: 'INVALID', reason: 'malformed' })
    await world.time.settle()
    expect(world.server.received.some(({ bearer }) => bearer?.includes('sk-1'))).toBe(false)
  })
})

describe('the start with a static token', () => {
  test('takes no network and writes no cache', async () => {
    const world = makeWorld()
    const token = world.server.jwt({ exp: world.server.iat() + 365 * 86_400 })
    const pinned = [{ x: world.server.licensePair.x, use: 'license' as const }]
    world.server.down = 'hang'
    const { license, took } = await start(world, {
      token,
      trust: { issuer: ISSUER, roots: [world.server.root.x], keys: pinned },
    })
    expect(took).toBe(0)
    expect(license).toMatchObject({ state: 'ACTIVE', source: 'static' })
    world.server.down = false
    await world.time.advance(3 * DAY)
    expect(world.server.paths()).not.toContain('refresh')
    expect(world.folder.files.has('license-cache.jwt')).toBe(false)
    expect(world.folder.files.has('state.json')).toBe(true)
  })

  test('refreshes by its refresh_url with report and telemetry, and still writes no cache', async () => {
    const world = makeWorld()
    const token = world.server.jwt({ refresh_url: `${ISSUER}/api/v1/licenses/refresh` })
    const { license } = await start(world, { token, telemetry: () => ({ queries_total: 10 }) })
    await world.time.advance(DAY)
    const request = world.server.last('refresh')
    expect(request?.bearer).toMatch(/^eyJ/)
    expect(request?.body).toMatchObject({
      license_id: 'lic_1',
      instance_id: license.instanceId,
      version: '1.4.0',
      telemetry: { queries_total: 10 },
      instance_token: 'lit_1',
    })
    expect(license.source).toBe('online')
    expect(world.folder.files.has('license-cache.jwt')).toBe(false)
  })

  test('falls through to the file, then to the API key', async () => {
    const world = makeWorld()
    const forged = nodeJws(makePair(), { alg: 'EdDSA', typ: 'leasehold-license+jwt', kid: 'none' }, {})
    const { license } = await start(world, { token: forged, tokenFile: '/nowhere', apiKey: 'sk-1' })
    expect(license.source).toBe('online')
    expect(license.explain().tried.map(({ step, outcome }) => `${step}: ${outcome}`)).toEqual([
      'token: unknown_key',
      'token_file: absent',
      'cache: absent',
      'api_key: in_force',
    ])
  })

  test('passes to the API key when it ends', async () => {
    const world = makeWorld()
    const token = world.server.jwt({ exp: world.server.iat() + 86_400, grace_days: 0, tier: 'old' })
    const { license } = await start(world, { token, apiKey: 'sk-1' })
    await world.time.advance(DAY - HOUR)
    expect(license.tier).toBe('old')
    expect(world.server.paths()).not.toContain('token')
    await world.time.advance(2 * HOUR)
    expect(license).toMatchObject({ tier: 'pro', source: 'online' })
  })
})

describe('the start with a license key', () => {
  const tiers = { pro: { features: ['oidc'], limits: { max_agents: 50 } } }

  test('registers, activates, sends a heartbeat, and validates from then on', async () => {
    const world = makeWorld()
    const { license } = await start(world, { licenseKey: world.server.licenseKey(), tiers })
    await world.time.settle()
    expect(world.server.paths()).toEqual(['register', 'activate', 'heartbeat'])
    expect(license).toMatchObject({ state: 'ACTIVE', source: 'online' })
    await world.time.advance(DAY)
    expect(world.server.paths()).toContain('validate')
    expect(world.server.paths().filter((path) => path === 'activate')).toHaveLength(1)
  })

  test('that was never confirmed holds offline for seven days from its first use, across restarts', async () => {
    const world = makeWorld()
    const licenseKey = world.server.licenseKey()
    const trust = {
      issuer: ISSUER,
      roots: [world.server.root.x],
      keys: [{ x: world.server.raw.x, use: 'raw' as const }],
    }
    world.server.down = true
    const first = await start(world, { licenseKey, tiers, trust })
    expect(first.license).toMatchObject({ state: 'GRACE', source: 'offline', tier: 'pro' })
    expect([first.license.has('oidc'), first.license.limit('max_agents')]).toEqual([true, 50])
    await world.time.advance(5 * DAY)
    await first.license.stop()
    const second = await start(world, { licenseKey, tiers, trust })
    await world.time.advance(2 * DAY - 3 * HOUR)
    expect(second.license.state).toBe('GRACE')
    await world.time.advance(4 * HOUR)
    expect(second.license).toMatchObject({ state: 'EXPIRED', source: 'community' })
  })

  test('gives the seat back when it stops for good, and the cache with it', async () => {
    const world = makeWorld()
    const { license } = await start(world, { licenseKey: world.server.licenseKey() })
    await world.time.settle()
    await license.stop({ release: true })
    expect(world.server.last('deactivate')).toMatchObject({ bearer: 'lit_1', body: { product: 'keldris' } })
    expect(world.folder.files.has('license-cache.jwt')).toBe(false)
  })
})

describe('the start with an envelope', () => {
  const UUID = '0190c2e4-7b1a-7c3d-8e4f-0123456789ab'
  const sealed = (world: World, more: object = {}) => {
    const content = {
      exp: world.server.iat() + 86_400,
      gracePeriodDays: 2,
      iat: world.server.iat(),
      licenseId: UUID,
    }
    const bytes = Buffer.from(
      JSON.stringify({
        ...content,
        limits: { max_agents: 7, max_users: 2_147_483_647 },
        tenantId: 'acme',
        ...more,
      }),
    )
    return `${bytes.toString('base64')}.${sign(null, bytes, world.server.raw.privateKey).toString('base64')}`
  }

  test('needs no server, and goes through ACTIVE, GRACE and EXPIRED', async () => {
    const world = makeWorld()
    const { serverUrl: _none, ...offline } = world.options({
      envelope: sealed(world, { features: ['air_gap'] }),
      trust: { issuer: ISSUER, roots: [world.server.root.x], keys: [{ x: world.server.raw.x, use: 'raw' }] },
    })
    const license = await world.time.during(startLicenseOn(world.host(), offline))
    expect(license).toMatchObject({ state: 'ACTIVE', source: 'offline' })
    expect([license.has('air_gap'), license.limit('max_agents'), license.limit('max_users')]).toEqual([
      true,
      7,
      Number.POSITIVE_INFINITY,
    ])
    await world.time.advance(DAY + 1000)
    expect(license.state).toBe('GRACE')
    await world.time.advance(2 * DAY)
    expect(license).toMatchObject({ state: 'EXPIRED', source: 'community' })
    expect(license.limit('max_agents')).toBe(3)
  })

  test('of another tenant is INVALID, with the words of the reference', async () => {
    const world = makeWorld()
    const { license } = await start(world, { envelope: sealed(world), tenantId: 'globex' })
    expect(license.state).toBe('INVALID')
    expect(license.explain().tried).toContainEqual(
      expect.objectContaining({ detail: "License tenantId 'acme' does not match server tenant 'globex'" }),
    )
  })

  test('dies with a verified rejection of its license', async () => {
    const world = makeWorld()
    world.server.directive = { license_id: `lic_${UUID.replaceAll('-', '')}`, status: 'revoked' }
    const { license } = await start(world, { envelope: sealed(world) })
    await license.refreshNow()
    expect(license).toMatchObject({ state: 'INVALID', reason: 'license_revoked', source: 'community' })
  })
})

describe('the start without any license', () => {
  test('is ABSENT, reports itself all the same, and throws for nothing', async () => {
    const world = makeWorld()
    const { license, took } = await start(world)
    expect(took).toBe(0)
    expect(license).toMatchObject({ state: 'ABSENT', reason: 'no_license', tier: 'free' })
    await world.time.advance(DAY)
    const paths = world.server.paths()
    expect(paths[0]).toBe('register')
    expect(paths.filter((path) => path === 'heartbeat').length).toBeGreaterThanOrEqual(4)
  })

  test('sends nothing at all without a server', async () => {
    const world = makeWorld()
    const { serverUrl: _none, ...options } = world.options()
    const license = await startLicenseOn(world.host(), options)
    await world.time.advance(2 * DAY)
    expect(license.state).toBe('ABSENT')
    expect(world.server.received).toEqual([])
    await license.refreshNow()
  })
})
