// Attacks on somebody else's instance or license that must come to nothing (T3, T8, T9, T10).
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { claimsOf } from '../support/verify.ts'
import { createWorld, newCustomer, type World } from '../support/world.ts'

const DAY = 86_400_000
const NONCE = 'n0nce_n0nce_n0nce-1'

describe.each(['token', 'open'] as const)('in a product whose instances are %s', (instanceAuth) => {
  let app: TestApp
  let world: World
  beforeAll(async () => {
    app = await startTestApp()
    world = await createWorld(app, { instanceAuth, license: { expires_at: null } })
  })
  afterAll(() => app.stop())

  const post = (path: string, body: object, bearer?: string) =>
    app.call('POST', `/api/v1${path}`, { body: { product: 'keldris', ...body }, bearer })
  const activate = (of: World, instance_id: string, bearer?: string) =>
    post('/licenses/activate', { instance_id, license_key: of.licenseKey }, bearer)
  const beat = (instance_id: string, bearer?: string, more: object = {}) =>
    post(
      '/instances/heartbeat',
      { instance_id, reported_tier: 'pro', has_valid_entitlement: true, metrics: {}, ...more },
      bearer,
    )
  const exchange = (of: World, instance_id: string, more: object = {}) =>
    app.call('POST', '/api/v1/licenses/token', {
      bearer: of.apiKey,
      body: { instance_id, version: '1', ...more },
    })
  const refresh = (jwt: string, instance_id: string, more: object = {}) =>
    app.call('POST', '/api/v1/licenses/refresh', {
      bearer: jwt,
      body: { instance_id, version: '9', ...more },
    })
  const instance = async (instance_id: string) =>
    (await app.admin('GET', `/instances?text=${instance_id}`)).body[0]
  const act = async (instance_id: string, action: string) =>
    app.admin('POST', `/instances/${(await instance(instance_id)).id}/action`, { action, reason: 'x' })
  const another = () => world.another({ expires_at: null })
  const stranger = async () => world.another({ expires_at: null }, await newCustomer(app))
  /** Stops every change between its statement and its commit. */
  const holdCommits = async () => {
    const sql = postgres(app.databaseUrl, { max: 1, onnotice: () => {} })
    await sql`select pg_advisory_lock(5027010)`
    return () => sql.end({ timeout: 1 })
  }
  const waiters = async (count: number) => {
    for (;;) {
      const [found] = await query(
        app.databaseUrl,
        `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      if (Number(found?.n) >= count) return
    }
  }

  test('a revoked license key proves nothing: the instance keeps its token', async () => {
    const own = await another()
    const { body } = await activate(own, 'k-1')
    await app.admin('POST', `/license-keys/${own.licenseKeyId}/revoke`, {})
    const thief = await activate(own, 'k-1')
    expect(thief.body).toMatchObject({ status: 'revoked', reason: 'license_key_revoked' })
    expect(thief.body).not.toHaveProperty('instance_token')
    expect((await beat('k-1', body.instance_token)).status).toBe(200)
    expect(
      (await post('/licenses/deactivate', { instance_id: 'k-1', license_key: own.licenseKey })).status,
    ).not.toBe(200)
    expect((await instance('k-1')).licenses).toEqual([own.licenseId])
  })

  test('a credential revoked with its sessions takes the seat with it', async () => {
    const own = await another()
    const { body } = await activate(own, 'k-2')
    await app.admin('POST', `/license-keys/${own.licenseKeyId}/revoke`, { end_sessions: true })
    const { body: heard } = await beat('k-2', body.instance_token, { nonce: NONCE })
    expect(heard).not.toHaveProperty('entitlement_token')
    expect(claimsOf(heard.directive).status).toBe('unlicensed')
    expect((await exchange(own, 'k-2')).status).toBe(200)
  })

  test("another customer's license neither speaks for the instance nor takes it over", async () => {
    const own = await another()
    const { body } = await activate(own, 'k-3')
    const evil = await activate(await stranger(), 'k-3')
    if (instanceAuth === 'token') expect(evil.body.error).toBe('instance_id_taken')
    const register = await post('/instances/register', { instance_id: 'k-3' }, evil.body.jwt)
    expect(register.body).not.toHaveProperty('instance_token')
    await act('k-3', 'kill')
    await beat('k-3', evil.body.jwt, { ack: (await instance('k-3')).action.seq })
    expect((await instance('k-3')).action.acknowledged_at).toBeNull()
    expect((await beat('k-3', body.instance_token)).body.action).toBe('kill')
  })

  test('a refresh token of a foreign license is no second proof for an expired JWT', async () => {
    const own = await another()
    const first = (await activate(own, 'k-4')).body
    const next = (await refresh(first.jwt, 'k-4', { refresh_token: first.refresh_token })).body
    app.clock.advance(2 * DAY)
    const { body: evil } = await activate(await stranger(), 'k-4')
    const stolen = await refresh(next.jwt, 'k-4', { refresh_token: evil.refresh_token })
    expect(stolen.body.error).toBe('second_proof_required')
    expect((await refresh(next.jwt, 'k-4', { refresh_token: next.refresh_token })).status).toBe(200)
  })

  test('a reset token does not hand a licensed instance to whoever registers first', async () => {
    await activate(await another(), 'k-5')
    await app.admin('POST', `/instances/${(await instance('k-5')).id}/reset-token`, {})
    const { body } = await post('/instances/register', { instance_id: 'k-5' })
    expect(body).not.toHaveProperty('instance_token')
  })

  test('a JWT whose seat was ended is not heard', async () => {
    const own = await another()
    const { body } = await exchange(own, 'k-6')
    const { id } = await instance('k-6')
    await app.admin('DELETE', `/instances/${id}/seats/${own.licenseId}`)
    await act('k-6', 'downgrade')
    const { action } = await instance('k-6')
    const answer = await refresh(body.jwt, 'k-6', { ack: action.seq, telemetry: { queries_total: 7 } })
    expect(answer.body.error).toBe('session_ended')
    expect(await instance('k-6')).toMatchObject({ version: '1', action: { acknowledged_at: null } })
  })

  test('a refused refresh binds no static JWT', async () => {
    const own = await world.another({ expires_at: null, seat_limit: 1 })
    await exchange(own, 'k-7')
    const { body } = await app.admin('POST', `/licenses/${own.licenseId}/jwt`, {
      life: 86_400,
      refreshable: true,
    })
    expect((await refresh(body.jwt, 'k-7-x')).body.error).toBe('instance_limit_reached')
    await app.admin('PATCH', `/licenses/${own.licenseId}`, { seat_limit: 2 })
    expect((await refresh(body.jwt, 'k-7-y')).status).toBe(200)
  })

  test('what an admin takes while a grant is under way is not granted', async () => {
    const own = await another()
    const { body } = await exchange(own, 'k-8')
    const { id } = await instance('k-8')
    const release = await holdCommits()
    const ending = app.admin('DELETE', `/instances/${id}/seats/${own.licenseId}`)
    await waiters(1)
    const refreshing = refresh(body.jwt, 'k-8')
    await waiters(2)
    await release()
    expect((await ending).status).toBe(200)
    expect((await refreshing).body.error).toBe('session_ended')

    const second = await holdCommits()
    const suspending = app.admin('POST', `/licenses/${own.licenseId}/suspend`, { reason: 'unpaid' })
    await waiters(1)
    const exchanging = exchange(own, 'k-8')
    await waiters(2)
    await second()
    expect((await suspending).status).toBe(200)
    expect((await exchanging).body.error).toBe('license_suspended')
  })

  test('T2: a killed instance is told what the row of its license says', async () => {
    const own = await another()
    await exchange(own, 'k-9')
    await act('k-9', 'kill')
    await app.admin('POST', `/licenses/${own.licenseId}/revoke`, { reason: 'x' })
    const { body } = await exchange(own, 'k-9', { nonce: NONCE })
    expect(claimsOf(body.directive)).toMatchObject({ status: 'revoked', action: 'kill' })
  })

  test('T10: a killed instance keeps its seat, and cannot give it up', async () => {
    const own = await another()
    const { body } = await activate(own, 'k-10')
    await act('k-10', 'kill')
    const given = await post(
      '/licenses/deactivate',
      { instance_id: 'k-10', license_key: own.licenseKey },
      body.instance_token,
    )
    expect(given.body).toEqual({ status: 'deactivated', reason: 'instance_killed' })
    expect((await instance('k-10')).licenses).toEqual([own.licenseId])
  })

  test('what an instance reports about itself stays bounded', async () => {
    for (let i = 0; i < 4; i += 1) {
      const metrics = Object.fromEntries(Array.from({ length: 95 }, (_, k) => [`m${i}_${k}`, 1.7e308]))
      await beat('k-11', (await activate(world, 'k-11')).body.instance_token, { metrics })
    }
    expect(Object.keys((await instance('k-11')).metrics).length).toBeLessThanOrEqual(100)
  })
})
