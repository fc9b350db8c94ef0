import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { claimsOf, verifyByJwks, verifyByKeySet } from '../support/verify.ts'
import { createWorld, type World } from '../support/world.ts'

const DAY = 86_400_000
const NONCE = 'n0nce_n0nce_n0nce-1'

describe('refresh', () => {
  let app: TestApp
  let world: World
  beforeAll(async () => {
    app = await startTestApp()
    world = await createWorld(app, { instanceAuth: 'token' })
  })
  afterAll(() => app.stop())

  const begin = async (instance_id: string, of: World = world) =>
    (
      await app.call('POST', '/api/v1/licenses/token', {
        bearer: of.apiKey,
        body: { instance_id, version: '1.0' },
      })
    ).body
  const refresh = (jwt: string, instance_id: string, more: object = {}) =>
    app.call('POST', '/api/v1/licenses/refresh', {
      bearer: jwt,
      body: { instance_id, version: '1.1', ...more },
    })

  test('a JWT gives the next one, under the same seat, and picks up what changed', async () => {
    const first = await begin('r-1')
    app.clock.advance(3_600_000)
    await app.admin('PATCH', `/licenses/${world.licenseId}`, {
      tier: 'enterprise',
      features_removed: ['oidc'],
    })
    const { status, body } = await refresh(first.jwt, 'r-1', { license_id: world.licenseId, nonce: NONCE })
    expect(status).toBe(200)
    const { payload } = await verifyByJwks(app.call, body.jwt)
    expect(payload).toMatchObject({ tier: 'enterprise', features: ['audit_logs', 'sso_sync'] })
    expect(payload.act).toBe(claimsOf(first.jwt).act)
    expect(payload.iat).toBe(claimsOf(first.jwt).iat + 3600)
    expect(body.refresh_token).toMatch(/^[0-9a-f]{64}$/)
    expect((await verifyByKeySet(app.call, body.directive)).payload).toMatchObject({ status: 'active' })
    await app.admin('PATCH', `/licenses/${world.licenseId}`, { tier: 'pro', features_removed: [] })
  })

  test('license_id and instance_id must be those of the token', async () => {
    const { jwt } = await begin('r-1')
    const other = await refresh(jwt, 'r-2')
    expect([other.status, other.body.error]).toEqual([403, 'instance_mismatch'])
    const license = await refresh(jwt, 'r-1', { license_id: 'lic_00000000000000000000000000000000' })
    expect([license.status, license.body.error]).toEqual([403, 'license_mismatch'])
  })

  test('telemetry is stored with version and uptime, and nothing of it when it is switched off', async () => {
    const { jwt } = await begin('r-3')
    const stream = { boot_id: randomUUID(), seq: 0, uptime_hours: 12.5 }
    await refresh(jwt, 'r-3', { ...stream, telemetry: { queries_total: 40 } })
    await refresh(jwt, 'r-3', { ...stream, seq: 1, telemetry: { queries_total: 100 } })
    await refresh(jwt, 'r-3', { ...stream, seq: 1, telemetry: { queries_total: 100 } })
    await refresh(jwt, 'r-3', { ...stream, seq: 2 })
    const rows = await query(
      app.databaseUrl,
      `select seq, version, metrics, increases from reports where kind = 'refresh'
       and instance_key = (select instance_key from instances where instance_id = 'r-3') order by seq`,
    )
    expect(rows).toEqual([
      {
        seq: '0',
        version: '1.1',
        metrics: { queries_total: 40, uptime_hours: 12.5 },
        increases: { queries_total: 40 },
      },
      {
        seq: '1',
        version: '1.1',
        metrics: { queries_total: 100, uptime_hours: 12.5 },
        increases: { queries_total: 60 },
      },
      { seq: '2', version: '1.1', metrics: { uptime_hours: 12.5 }, increases: {} },
    ])
  })

  test('T8: an expired JWT refreshes within grace, alone only while its chain was never used', async () => {
    const own = await world.another({ expires_at: null })
    const first = await begin('r-4', own)
    app.clock.advance(29 * DAY)
    const second = await refresh(first.jwt, 'r-4')
    expect(second.status).toBe(200)
    const third = await refresh(second.body.jwt, 'r-4', { refresh_token: second.body.refresh_token })
    expect(third.status).toBe(200)
    app.clock.advance(2 * DAY)
    const alone = await refresh(third.body.jwt, 'r-4')
    expect([alone.status, alone.body.error]).toEqual([401, 'second_proof_required'])
    const forged = await refresh(third.body.jwt, 'r-4', { refresh_token: 'ab'.repeat(32) })
    expect(forged.body.error).toBe('second_proof_required')
    const byToken = await refresh(third.body.jwt, 'r-4', { instance_token: first.instance_token })
    expect(byToken.status).toBe(200)
    const byChain = await refresh(third.body.jwt, 'r-4', { refresh_token: third.body.refresh_token })
    expect(byChain.status).toBe(200)
  })

  test('past its grace a JWT is refused, to the second', async () => {
    const own = await world.another({ expires_at: null })
    const { jwt } = await begin('r-5', own)
    app.clock.advance(31 * DAY)
    expect((await refresh(jwt, 'r-5')).status).toBe(200)
    app.clock.advance(1000)
    const late = await refresh(jwt, 'r-5', { nonce: NONCE })
    expect([late.status, late.body.error]).toEqual([401, 'license_jwt_expired'])
    expect(late.body).not.toHaveProperty('directive')
  })

  test('T2: a suspension is told by a signed word, and ends with the reinstatement', async () => {
    const own = await world.another({ expires_at: null })
    const { jwt } = await begin('r-6', own)
    await app.admin('POST', `/licenses/${own.licenseId}/suspend`, { reason: 'unpaid' })
    const refused = await refresh(jwt, 'r-6', { nonce: NONCE })
    expect([refused.status, refused.body.error]).toEqual([403, 'license_suspended'])
    expect((await verifyByKeySet(app.call, refused.body.directive)).payload.status).toBe('suspended')
    await app.admin('POST', `/licenses/${own.licenseId}/reinstate`, {})
    expect((await refresh(jwt, 'r-6')).status).toBe(200)
  })

  test('T8: a session ends with its seat, or with its credential when that was asked for', async () => {
    const own = await world.another({ expires_at: null })
    const { jwt } = await begin('r-7', own)
    await app.admin('POST', `/api-keys/${own.apiKeyId}/revoke`, {})
    expect((await refresh(jwt, 'r-7')).status).toBe(200)

    const other = await world.another({ expires_at: null })
    const session = await begin('r-8', other)
    await app.admin('POST', `/api-keys/${other.apiKeyId}/revoke`, { end_sessions: true })
    const ended = await refresh(session.jwt, 'r-8', { nonce: NONCE })
    expect([ended.status, ended.body.error]).toEqual([401, 'session_ended'])
    expect(ended.body).not.toHaveProperty('directive')
  })

  test('T12: a database restored from before the seat learns it from the JWT again', async () => {
    const own = await world.another({ expires_at: null, seat_limit: 1 })
    const { jwt } = await begin('r-9', own)
    await query(
      app.databaseUrl,
      `delete from activations where license_id =
      '${own.licenseId.slice(4)}'::uuid; delete from instances where instance_id = 'r-9'`,
    )
    const { status, body } = await refresh(jwt, 'r-9')
    expect(status).toBe(200)
    expect(claimsOf(body.jwt).act).toBe(claimsOf(jwt).act)
  })

  test('a static JWT binds to the first instance that refreshes it, and takes a seat', async () => {
    const own = await world.another({ expires_at: null })
    const made = await app.admin('POST', `/licenses/${own.licenseId}/jwt`, {
      life: 30 * 86_400,
      refreshable: true,
    })
    expect(made.status).toBe(201)
    expect(claimsOf(made.body.jwt)).not.toHaveProperty('instance_id')
    const first = await refresh(made.body.jwt, 'r-10')
    expect(first.status).toBe(200)
    expect(claimsOf(first.body.jwt)).toMatchObject({
      instance_id: 'r-10',
      act: expect.stringMatching(/^act_/),
    })
    const second = await refresh(made.body.jwt, 'r-11')
    expect([second.status, second.body.error]).toEqual([403, 'instance_mismatch'])
    expect((await refresh(made.body.jwt, 'r-10')).status).toBe(200)
  })

  test('a static JWT without refresh has no refresh_url and is not refreshed', async () => {
    const made = await app.admin('POST', `/licenses/${world.licenseId}/jwt`, {
      life: 3600,
      refreshable: false,
    })
    expect(claimsOf(made.body.jwt)).not.toHaveProperty('refresh_url')
    const answer = await refresh(made.body.jwt, 'r-12')
    expect([answer.status, answer.body.error]).toEqual([403, 'refresh_not_allowed'])
  })

  test('an API key, an admin key and garbage are no license JWT', async () => {
    for (const bearer of [world.apiKey, app.adminKey, 'eyJhbGciOiJub25lIn0.e30.AAAA', 'nonsense']) {
      const { status } = await refresh(bearer, 'r-1')
      expect(status).toBe(401)
    }
  })
})
