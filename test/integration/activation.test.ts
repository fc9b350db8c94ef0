import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { claimsOf, verifyByJwks, verifyByKeySet, verifyRaw } from '../support/verify.ts'
import { createWorld, PRO_FEATURES, type World } from '../support/world.ts'

const DAY = 86_400_000
const NONCE = 'n0nce_n0nce_n0nce-1'

describe('activation by Keldris clients, who send no credential', () => {
  let app: TestApp
  let world: World
  beforeAll(async () => {
    app = await startTestApp()
    world = await createWorld(app)
  })
  afterAll(() => app.stop())

  const seat = (verb: string, instance_id: string, more: object = {}, of: World = world) =>
    app.call('POST', `/api/v1/licenses/${verb}`, {
      body: { license_key: of.licenseKey, instance_id, product: 'keldris', ...more },
    })
  const action = async (instance_id: string, word: string) => {
    const { body } = await app.admin('GET', `/instances?text=${instance_id}`)
    return app.admin('POST', `/instances/${body[0].id}/action`, { action: word })
  }
  const GRANTS = ['entitlement_token', 'jwt', 'expires_in', 'refresh_token']

  test('activate answers with all fields, an entitlement token and the license JWT', async () => {
    const { status, body } = await seat('activate', 'a-1', { hostname: 'dev', server_version: '1.0.0' })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: 'active',
      tier: 'pro',
      customer_id: world.customerId,
      customer_name: 'Ada',
      company: 'Analytical Engines',
      expires_at: '2027-03-01T12:00:00Z',
      issued_at: '2026-03-01T12:00:00Z',
      limits: { max_agents: 100 },
      is_trial: false,
    })
    const token = await verifyRaw(app.call, 'keldris', body.entitlement_token)
    expect(token).toMatchObject({
      product: 'keldris',
      instance_id: 'a-1',
      license_id: world.licenseId,
      tier: 'pro',
      features: PRO_FEATURES,
      limits: { max_agents: 100 },
      nonce: expect.stringMatching(/^[0-9a-f]{32}$/),
      expires_at: token.issued_at + 86_400,
    })
    expect(token).not.toHaveProperty('customer_id')
    expect((await verifyByJwks(app.call, body.jwt)).payload).toMatchObject({ instance_id: 'a-1' })
  })

  test('activating again takes no second seat; validate says valid; the seat over the limit is denied', async () => {
    const own = await world.another({ seat_limit: 2 })
    for (const id of ['b-1', 'b-1', 'b-2']) {
      expect((await seat('activate', id, {}, own)).body.status).toBe('active')
    }
    expect((await seat('validate', 'b-1', {}, own)).body.status).toBe('valid')
    const { status, body } = await seat('activate', 'b-3', { nonce: NONCE }, own)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: 'limit_reached',
      reason: 'instance_limit_reached',
      limit: 2,
      current: 2,
      tier: 'free',
      limits: { max_agents: 3 },
    })
    for (const grant of GRANTS) expect(body).not.toHaveProperty(grant)
    expect((await verifyByKeySet(app.call, body.directive)).payload.status).toBe('limit_reached')
  })

  test('a deactivated seat is free for another, and validate re-takes a free one', async () => {
    const own = await world.another({ seat_limit: 1 })
    await seat('activate', 'c-1', {}, own)
    const given = await seat('deactivate', 'c-1', {}, own)
    expect([given.status, given.body]).toEqual([200, { status: 'deactivated' }])
    expect((await seat('deactivate', 'c-1', {}, own)).body).toEqual({ status: 'deactivated' })
    expect((await seat('validate', 'c-2', {}, own)).body.status).toBe('valid')
    expect((await seat('validate', 'c-1', {}, own)).body.status).toBe('limit_reached')
  })

  test('T10: a seat passes on when its last lease, grace included, has run out, and not a second before', async () => {
    const own = await world.another({ seat_limit: 1, expires_at: null })
    await seat('activate', 'd-1', {}, own)
    app.clock.advance(31 * DAY - 1000)
    expect((await seat('activate', 'd-2', {}, own)).body.status).toBe('limit_reached')
    app.clock.advance(1000)
    expect((await seat('activate', 'd-2', {}, own)).body.status).toBe('active')
    expect((await seat('validate', 'd-1', {}, own)).body.status).toBe('limit_reached')
  })

  test('T10: a seat that an admin ended is not re-taken by validate', async () => {
    const own = await world.another({ seat_limit: 2 })
    await seat('activate', 'e-1', {}, own)
    const { body } = await app.admin('GET', '/instances?text=e-1')
    const released = await app.admin('DELETE', `/instances/${body[0].id}/seats/${own.licenseId}`)
    expect(released.status).toBeLessThan(300)
    expect((await seat('validate', 'e-1', {}, own)).body).toMatchObject({
      status: 'limit_reached',
      reason: 'seat_ended',
    })
  })

  test('a suspended and a revoked license answer revoked, an expired one expired, each with its reason', async () => {
    const suspended = await world.another()
    await seat('activate', 'f-1', {}, suspended)
    await app.admin('POST', `/licenses/${suspended.licenseId}/suspend`, { reason: 'unpaid' })
    const expired = await world.another({ expires_at: '2026-02-01T00:00:00Z' })
    app.clock.advance(2 * DAY)
    for (const verb of ['activate', 'validate']) {
      const first = (await seat(verb, 'f-1', {}, suspended)).body
      expect(first).toMatchObject({ status: 'revoked', reason: 'license_suspended', tier: 'free' })
      const second = (await seat(verb, 'f-2', {}, expired)).body
      expect(second).toMatchObject({ status: 'expired', reason: 'license_expired' })
      for (const grant of GRANTS) expect({ ...first, ...second }).not.toHaveProperty(grant)
    }
  })

  test('a killed instance is revoked whatever key it brings, until the action is cleared', async () => {
    const own = await world.another({ expires_at: null })
    await seat('activate', 'g-1', {}, own)
    await action('g-1', 'kill')
    const other = await world.another({ expires_at: null })
    for (const [verb, key] of [
      ['activate', own],
      ['validate', own],
      ['activate', other],
    ] as const) {
      const { body } = await seat(verb, 'g-1', { nonce: NONCE }, key)
      expect(body).toMatchObject({ status: 'revoked', reason: 'instance_killed' })
      for (const grant of GRANTS) expect(body).not.toHaveProperty(grant)
      expect((await verifyByKeySet(app.call, body.directive)).payload.action).toBe('kill')
    }
    await action('g-1', 'none')
    expect((await seat('validate', 'g-1', {}, own)).body.status).toBe('valid')
  })

  test('T3: a downgraded instance is given the lowest tier and no entitlement token', async () => {
    const own = await world.another({ expires_at: null })
    await seat('activate', 'h-1', {}, own)
    await action('h-1', 'downgrade')
    const { body } = await seat('activate', 'h-1', {}, own)
    expect(body).toMatchObject({ status: 'active', tier: 'free', limits: { max_agents: 3 } })
    expect(body).not.toHaveProperty('entitlement_token')
    expect(claimsOf(body.jwt)).toMatchObject({ tier: 'free', features: [] })
  })

  test('an unknown key is 404, another product 404, a malformed key 400', async () => {
    const forged = `${world.licenseKey.slice(0, -4)}AAAA`
    const call = (license_key: string, product = 'keldris') =>
      app.call('POST', '/api/v1/licenses/activate', { body: { license_key, instance_id: 'x', product } })
    expect((await call(forged)).body.error).toBe('license_key_unknown')
    expect((await call(world.licenseKey, 'other')).status).toBe(404)
    const malformed = await call('no key at all')
    expect([malformed.status, malformed.body.error]).toEqual([400, 'license_key_malformed'])
  })

  test('a perpetual license shows the last second of the year 9999', async () => {
    const own = await world.another({ expires_at: null })
    expect((await seat('activate', 'p-1', {}, own)).body.expires_at).toBe('9999-12-31T23:59:59Z')
  })

  test('T9: an instance may hold seats of several licenses, and the highest tier counts', async () => {
    const enterprise = await world.another({ tier: 'enterprise', expires_at: null })
    const pro = await world.another({ expires_at: null })
    await seat('activate', 'm-1', {}, pro)
    await seat('activate', 'm-1', {}, enterprise)
    const beat = await app.call('POST', '/api/v1/instances/heartbeat', {
      body: {
        instance_id: 'm-1',
        product: 'keldris',
        reported_tier: 'enterprise',
        has_valid_entitlement: true,
        metrics: {},
      },
    })
    expect((await verifyRaw(app.call, 'keldris', beat.body.entitlement_token)).tier).toBe('enterprise')
    await seat('deactivate', 'm-1', {}, enterprise)
    expect((await seat('validate', 'm-1', {}, pro)).body).toMatchObject({ status: 'valid', tier: 'pro' })
  })
})
