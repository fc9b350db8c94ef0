import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { verifyByJwks, verifyByKeySet } from '../support/verify.ts'
import { createWorld, PRO_FEATURES, type World } from '../support/world.ts'

const NONCE = 'n0nce_n0nce_n0nce-1'

describe('exchange', () => {
  let app: TestApp
  let world: World
  beforeAll(async () => {
    app = await startTestApp()
    world = await createWorld(app, { instanceAuth: 'token' })
  })
  afterAll(() => app.stop())

  const exchange = (bearer: string | undefined, instance_id: string, more: object = {}) =>
    app.call('POST', '/api/v1/licenses/token', { bearer, body: { instance_id, version: '1.0', ...more } })

  test('an API key gives a license JWT that verifies from the published JWK set', async () => {
    const { status, body, headers } = await exchange(world.apiKey, 'i-1')
    expect(status).toBe(200)
    expect(headers.get('Cache-Control')).toBe('no-store')
    expect(body).toMatchObject({ expires_in: 86_400, message: null })
    expect(body.instance_token).toMatch(/^lit_/)
    const { header, payload } = await verifyByJwks(app.call, body.jwt)
    expect(header).toEqual({ alg: 'EdDSA', typ: 'leasehold-license+jwt', kid: expect.any(String) })
    const now = Math.floor(app.clock.now().getTime() / 1000)
    expect(payload).toMatchObject({
      iss: 'https://license.example.com',
      aud: 'keldris',
      sub: world.customerId,
      license_id: world.licenseId,
      instance_id: 'i-1',
      tier: 'pro',
      features: PRO_FEATURES,
      limits: { max_agents: 100 },
      grace_days: 30,
      iat: now,
      exp: now + 86_400,
      license_exp: Date.parse('2027-03-01T12:00:00Z') / 1000,
      org_name: 'Analytical Engines',
      trial: false,
      refresh_url: 'https://license.example.com/api/v1/licenses/refresh',
    })
    expect(payload.act).toMatch(/^act_/)
    expect(payload).not.toHaveProperty('in_grace')
    for (const member of ['nonce', 'status', 'action']) expect(payload).not.toHaveProperty(member)
  })

  test('a nonce is answered by a directive of its own kind', async () => {
    const { body } = await exchange(world.apiKey, 'i-1', { nonce: NONCE })
    const { header, payload } = await verifyByKeySet(app.call, body.directive)
    expect(header.typ).toBe('leasehold-directive+jwt')
    expect(payload).toMatchObject({
      aud: 'keldris',
      sub: 'i-1',
      license_id: world.licenseId,
      status: 'active',
      action: 'none',
      nonce: NONCE,
      exp: payload.iat + 300,
    })
    expect(payload.seq).toBeGreaterThan(1_700_000_000_000)
    expect(payload.keys).toBeGreaterThan(0)
    for (const member of ['tier', 'features', 'limits', 'quotas']) expect(payload).not.toHaveProperty(member)
  })

  test('the same instance never takes a second seat, and the fourth instance finds none', async () => {
    for (const id of ['i-1', 'i-2', 'i-3', 'i-2']) expect((await exchange(world.apiKey, id)).status).toBe(200)
    const { status, body } = await exchange(world.apiKey, 'i-4', { nonce: NONCE })
    expect(status).toBe(403)
    expect(body).toMatchObject({
      error: 'instance_limit_reached',
      limit: 3,
      current: 3,
      fix: expect.any(String),
    })
    expect(body.message).toBe(body.detail)
    expect(body).not.toHaveProperty('action')
    const { payload } = await verifyByKeySet(app.call, body.directive)
    expect(payload).toMatchObject({ status: 'limit_reached', action: 'none', sub: 'i-4' })
  })

  test('without or with a wrong credential it is 401 with a challenge, each reason its own code', async () => {
    const missing = await exchange(undefined, 'i-1')
    expect([missing.status, missing.body.error]).toEqual([401, 'unauthorized'])
    expect(missing.headers.get('WWW-Authenticate')).toMatch(/^Bearer/)

    const mistyped = await exchange(`${world.apiKey.slice(0, -1)}_`, 'i-1', { nonce: NONCE })
    expect([mistyped.status, mistyped.body.error]).toEqual([401, 'api_key_unknown'])
    expect(mistyped.body).not.toHaveProperty('directive')

    const made = await app.admin('POST', '/api-keys', { license_id: world.licenseId, name: 'short' })
    expect(made.status).toBe(201)
    await app.admin('POST', `/api-keys/${made.body.id}/revoke`, {})
    const revoked = await exchange(made.body.api_key, 'i-1')
    expect([revoked.status, revoked.body.error]).toEqual([401, 'api_key_revoked'])
    expect(revoked.body.message).toBe('API key has been revoked')
    expect(revoked.headers.get('Content-Type')).toBe('application/problem+json')
    expect(revoked.headers.get('WWW-Authenticate')).toContain('error="invalid_token"')
  })

  test('an expired API key is refused from the second of its end on', async () => {
    const expires_at = new Date(app.clock.now().getTime() + 60_000).toISOString()
    const made = await app.admin('POST', '/api-keys', {
      license_id: world.licenseId,
      name: 'brief',
      expires_at,
    })
    expect((await exchange(made.body.api_key, 'i-1')).status).toBe(200)
    app.clock.advance(60_000)
    const { status, body } = await exchange(made.body.api_key, 'i-1')
    expect([status, body.error]).toEqual([401, 'api_key_expired'])
  })

  test('a suspended, a revoked and an expired license are each refused with a signed reason', async () => {
    const suspended = await world.another()
    await app.admin('POST', `/licenses/${suspended.licenseId}/suspend`, { reason: 'unpaid' })
    const revoked = await world.another()
    await app.admin('POST', `/licenses/${revoked.licenseId}/revoke`, { reason: 'fraud' })
    const expired = await world.another({ expires_at: '2026-01-29T11:00:00Z' })
    const cases = [
      [suspended, 'license_suspended', 'suspended'],
      [revoked, 'license_revoked', 'revoked'],
      [expired, 'license_expired', 'expired'],
    ] as const
    for (const [{ apiKey, licenseId }, code, word] of cases) {
      const { status, body } = await exchange(apiKey, `of-${word}`, { nonce: NONCE })
      expect([status, body.error, body.reason]).toEqual([403, code, code])
      const { payload } = await verifyByKeySet(app.call, body.directive)
      expect(payload).toMatchObject({ status: word, license_id: licenseId, reason: code })
    }
  })

  test('past its end a license is granted in grace, up to the end of grace', async () => {
    const lapsed = await world.another({ expires_at: '2026-01-30T13:30:00Z' })
    const { status, body } = await exchange(lapsed.apiKey, 'in-grace', { nonce: NONCE })
    expect(status).toBe(200)
    const { payload } = await verifyByJwks(app.call, body.jwt)
    const end = Date.parse('2026-03-01T13:30:00Z') / 1000
    expect(payload).toMatchObject({ in_grace: true, exp: end })
    expect(body.expires_in).toBe(end - payload.iat)
    expect((await verifyByKeySet(app.call, body.directive)).payload.status).toBe('in_grace')
  })

  test('an instance id that another license has proven is taken', async () => {
    const stranger = await world.another()
    expect((await exchange(stranger.apiKey, 'i-1')).status).toBe(409)
    const answer = await exchange(stranger.apiKey, 'i-1', { nonce: NONCE })
    expect(answer.body).toMatchObject({ error: 'instance_id_taken', fix: expect.any(String) })
  })

  test('a product may carry its limits as quotas, where unlimited is left out', async () => {
    const other = await createWorld(app, {
      product: 'softclient4es',
      limitsClaim: 'quotas',
      license: { tier: 'enterprise', limits: { max_joins: 7 } },
    })
    const { body } = await exchange(other.apiKey, 'q-1')
    const { payload } = await verifyByJwks(app.call, body.jwt)
    expect(payload.quotas).toEqual({ max_joins: 7 })
    expect(payload).not.toHaveProperty('limits')
  })
})
