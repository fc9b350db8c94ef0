import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { verifyByKeySet, verifyRaw } from '../support/verify.ts'
import { createWorld, type World } from '../support/world.ts'

const NONCE = 'n0nce_n0nce_n0nce-1'

describe('heartbeat', () => {
  let app: TestApp
  let world: World
  beforeAll(async () => {
    app = await startTestApp()
    world = await createWorld(app, { license: { expires_at: null, seat_limit: null } })
  })
  afterAll(() => app.stop())

  const beat = (instance_id: string, more: object = {}, bearer?: string) =>
    app.call('POST', '/api/v1/instances/heartbeat', {
      bearer,
      body: {
        instance_id,
        product: 'keldris',
        reported_tier: 'free',
        has_valid_entitlement: false,
        metrics: {},
        ...more,
      },
    })
  const activate = (instance_id: string, bearer?: string) =>
    app.call('POST', '/api/v1/licenses/activate', {
      bearer,
      body: { license_key: world.licenseKey, instance_id, product: 'keldris' },
    })
  const instance = async (instance_id: string) =>
    (await app.admin('GET', `/instances?text=${instance_id}`)).body[0]
  const anomalies = async (instance_id: string) => {
    const { id } = await instance(instance_id)
    const { body } = await app.admin('GET', `/anomalies?instance=${id}`)
    return body.map((found: { type: string }) => found.type).sort()
  }
  const act = async (instance_id: string, action: string) =>
    app.admin('POST', `/instances/${(await instance(instance_id)).id}/action`, { action, reason: 'because' })

  test('an unknown instance becomes known, and gets no entitlement token', async () => {
    const { status, body } = await beat('h-1', { metrics: { agent_count: 2, server_version: '1.2.3' } })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: 'ok',
      action: 'none',
      config: { feature_refresh_token: expect.stringMatching(/^[0-9a-f]{64}$/), heartbeat_interval: 21_600 },
    })
    expect(body).not.toHaveProperty('entitlement_token')
    expect(await instance('h-1')).toMatchObject({
      instance_id: 'h-1',
      version: '1.2.3',
      metrics: { agent_count: 2 },
      proof: 'none',
      verified: false,
    })
  })

  test('a licensed instance gets a fresh entitlement token with each heartbeat', async () => {
    await activate('h-2')
    const { body } = await beat('h-2', { reported_tier: 'pro', has_valid_entitlement: true })
    expect(await verifyRaw(app.call, 'keldris', body.entitlement_token)).toMatchObject({
      tier: 'pro',
      instance_id: 'h-2',
    })
  })

  test('every metric is optional, null features and unknown members are tolerated', async () => {
    const metrics = { feature_usage: null, oidc_configured: true, uptime_hours: 1.5, of_the_future: { a: 1 } }
    expect((await beat('h-3', { metrics, of_the_future: [] })).status).toBe(200)
    expect((await instance('h-3')).metrics).toEqual({ oidc_configured: 1, uptime_hours: 1.5 })
    // A name that is cut within a character.
    const cut = { feature_usage: [`${'x'.repeat(99)}\u{1f511}`] }
    expect((await beat('h-3', { metrics: cut })).status).toBe(200)
  })

  test('a required member that is missing or wrong is 422 with its pointer', async () => {
    const { status, body } = await beat('h-4', { metrics: undefined, has_valid_entitlement: 'yes' })
    expect([status, body.error]).toEqual([422, 'invalid_request'])
    expect(body.errors.map((fault: { pointer: string }) => fault.pointer).sort()).toEqual([
      '/has_valid_entitlement',
      '/metrics',
    ])
    expect((await beat('h-4', { product: 'nobody' })).body.error).toBe('product_unknown')
  })

  test('T11: an action is delivered until it is cleared, and only a proven answer acknowledges it', async () => {
    await activate('h-5')
    const { body: first } = await activate('h-5-proven')
    await act('h-5-proven', 'kill')
    const bearer = first.instance_token
    const killed = await beat('h-5-proven', { nonce: NONCE }, bearer)
    expect(killed.body).toMatchObject({ action: 'kill' })
    expect(killed.body).not.toHaveProperty('entitlement_token')
    const { payload } = await verifyByKeySet(app.call, killed.body.directive)
    expect(payload).toMatchObject({ action: 'kill', status: 'active', sub: 'h-5-proven', reason: 'because' })
    expect((await instance('h-5-proven')).action).toMatchObject({ acknowledged_at: null })

    await beat('h-5-proven', { ack: payload.seq })
    expect((await instance('h-5-proven')).action.acknowledged_at).toBeNull()
    await beat('h-5-proven', { ack: payload.seq }, bearer)
    const acknowledged = (await instance('h-5-proven')).action
    expect(acknowledged).toMatchObject({ action: 'kill', seq: payload.seq })
    expect(acknowledged.delivered_at).not.toBeNull()
    expect(acknowledged.acknowledged_at).not.toBeNull()

    expect((await beat('h-5-proven')).body.action).toBe('kill')
    await act('h-5-proven', 'none')
    const cleared = await beat('h-5-proven', { nonce: NONCE }, bearer)
    expect(cleared.body).toMatchObject({ action: 'none', entitlement_token: expect.any(String) })
    expect((await verifyByKeySet(app.call, cleared.body.directive)).payload.seq).toBeGreaterThan(payload.seq)
  })

  test('T3: while downgraded there is no entitlement token, and the directive says so', async () => {
    await activate('h-6')
    await act('h-6', 'downgrade')
    const { body } = await beat('h-6', { nonce: NONCE })
    expect(body.action).toBe('downgrade')
    expect(body).not.toHaveProperty('entitlement_token')
    expect((await verifyByKeySet(app.call, body.directive)).payload).toMatchObject({
      action: 'downgrade',
      status: 'active',
    })
  })

  test('T2: an unlicensed instance is told so, and a suspended license by its own row', async () => {
    const stranger = await beat('h-7', { nonce: NONCE })
    expect((await verifyByKeySet(app.call, stranger.body.directive)).payload).toMatchObject({
      status: 'unlicensed',
      license_id: null,
    })
    const own = await world.another({ expires_at: null })
    await app.call('POST', '/api/v1/licenses/activate', {
      body: { license_key: own.licenseKey, instance_id: 'h-8', product: 'keldris' },
    })
    await app.admin('POST', `/licenses/${own.licenseId}/suspend`, { reason: 'unpaid' })
    const { body } = await beat('h-8', { nonce: NONCE })
    expect(body).not.toHaveProperty('entitlement_token')
    expect((await verifyByKeySet(app.call, body.directive)).payload).toMatchObject({
      status: 'suspended',
      license_id: own.licenseId,
      reason: 'license_suspended',
    })
  })

  test('a report counts once by instance, boot and number, and in any order', async () => {
    const boot_id = randomUUID()
    const send = (seq: number, queries_total: number) =>
      beat('h-9', { boot_id, seq, metrics: { queries_total } })
    for (const [seq, total] of [
      [0, 10],
      [2, 30],
      [1, 20],
      [2, 30],
      [3, 35],
      [0, 10],
    ] as const) {
      expect((await send(seq, total)).status).toBe(200)
    }
    const rows = await query(
      app.databaseUrl,
      `select seq, (increases->>'queries_total')::int as grown from reports
       where boot_id = '${boot_id}' order by received_at, seq`,
    )
    expect(rows.map((row) => Number(row.seq)).sort()).toEqual([0, 1, 2, 3])
    expect(rows.reduce((sum, row) => sum + Number(row.grown ?? 0), 0)).toBe(35)
  })

  test('observed_at is never in the future and at most 30 days old', async () => {
    const boot_id = randomUUID()
    await beat('h-10', { boot_id, seq: 0, observed_at: '2030-01-01T00:00:00Z' })
    await beat('h-10', { boot_id, seq: 1, observed_at: '2020-01-01T00:00:00Z' })
    const rows = await query(
      app.databaseUrl,
      `select observed_at from reports where boot_id = '${boot_id}' order by seq`,
    )
    const now = app.clock.now().getTime()
    expect(rows.map((row) => (row.observed_at as Date).getTime())).toEqual([now, now - 30 * 86_400_000])
  })

  test('each anomaly is raised by its own report, once, with its count', async () => {
    await beat('x-1', { metrics: { feature_usage: ['audit_logs'] } })
    expect(await anomalies('x-1')).toEqual(['no_entitlement_premium_usage', 'unlicensed_premium_usage'])
    await beat('x-2', { reported_tier: 'enterprise' })
    await beat('x-2', { reported_tier: 'enterprise' })
    expect(await anomalies('x-2')).toEqual(['tier_mismatch'])
    const { body } = await app.admin('GET', `/anomalies?instance=${(await instance('x-2')).id}`)
    expect(body[0]).toMatchObject({ count: 2, severity: 'high', proof: 'none', verified: false })
    await beat('x-3', { metrics: { agent_count: 4 } })
    expect(await anomalies('x-3')).toEqual(['limit_exceeded'])
    await activate('x-4')
    await beat('x-4', {
      reported_tier: 'pro',
      has_valid_entitlement: true,
      metrics: { agent_count: 100, feature_usage: ['audit_logs'] },
    })
    expect(await anomalies('x-4')).toEqual([])
  })

  test('a strange entitlement hash is noted and is no error', async () => {
    const { body } = await activate('e-1')
    const hash = createHash('sha256').update(body.entitlement_token).digest('hex')
    const noted = async () =>
      (
        await query(
          app.databaseUrl,
          `select entitlement_mismatch_at as at from instances where instance_id = 'e-1'`,
        )
      )[0]?.at
    await beat('e-1', { metrics: { entitlement_token_hash: 'f'.repeat(64) } })
    expect(await noted()).not.toBeNull()
    const again = await activate('e-1')
    expect(again.body.entitlement_token).not.toBe(body.entitlement_token)
    expect(hash).not.toBe('f'.repeat(64))
    await beat('e-1', {
      metrics: {
        entitlement_token_hash: createHash('sha256').update(again.body.entitlement_token).digest('hex'),
      },
    })
    expect(await noted()).toBeNull()
  })
})

describe('heartbeat of a product whose instances prove themselves', () => {
  let app: TestApp
  let world: World
  beforeAll(async () => {
    app = await startTestApp()
    world = await createWorld(app, { instanceAuth: 'token', license: { expires_at: null, seat_limit: null } })
  })
  afterAll(() => app.stop())

  const post = (path: string, body: object, bearer?: string) =>
    app.call('POST', `/api/v1${path}`, { body: { product: 'keldris', ...body }, bearer })
  const beat = (instance_id: string, bearer?: string) =>
    post(
      '/instances/heartbeat',
      { instance_id, reported_tier: 'pro', has_valid_entitlement: true, metrics: {} },
      bearer,
    )
  const key = () => ({ license_key: world.licenseKey })

  test('registering is open and provisional; what follows needs the token or a JWT of the instance', async () => {
    const registered = await post('/instances/register', { instance_id: 't-1', hostname: 'h' })
    expect(registered.body).toMatchObject({
      status: 'registered',
      instance_token: expect.stringMatching(/^lit_/),
    })
    expect((await beat('t-1')).body.error).toBe('instance_token_required')
    expect((await beat('t-1', registered.body.instance_token)).status).toBe(200)
    expect((await beat('t-1', `${registered.body.instance_token}x`)).body.error).toBe(
      'instance_token_unknown',
    )
    expect((await beat('t-2', registered.body.instance_token)).status).toBe(401)
    for (const verb of ['validate', 'deactivate']) {
      expect((await post(`/licenses/${verb}`, { instance_id: 't-1', ...key() })).status).toBe(401)
    }
    const session = await app.call('POST', '/api/v1/licenses/token', {
      bearer: world.apiKey,
      body: { instance_id: 't-1', version: '1' },
    })
    expect((await beat('t-1', session.body.jwt)).status).toBe(200)
    expect((await beat('t-2', session.body.jwt)).body.error).toBe('instance_mismatch')
    expect((await beat('t-1', world.apiKey)).status).toBe(401)
    app.clock.advance(86_400_000)
    expect((await beat('t-1', session.body.jwt)).body.error).toBe('license_jwt_expired')
  })

  test('T9: a lost first answer is no loss, and a squatter gets nothing that lasts', async () => {
    await post('/instances/register', { instance_id: 's-1' })
    const again = await post('/instances/register', { instance_id: 's-1' })
    expect(again.body.instance_token).toMatch(/^lit_/)
    expect((await beat('s-1', again.body.instance_token)).status).toBe(200)
    const late = await post('/instances/register', { instance_id: 's-1' })
    expect([late.status, late.body.error]).toEqual([409, 'instance_id_taken'])

    const owner = await post('/licenses/activate', { instance_id: 's-1', ...key() })
    expect(owner.body).toMatchObject({ status: 'active', instance_token: expect.stringMatching(/^lit_/) })
    expect((await beat('s-1', again.body.instance_token)).body.error).toBe('instance_token_unknown')
    expect((await beat('s-1', owner.body.instance_token)).status).toBe(200)

    const retry = await post('/licenses/activate', { instance_id: 's-1', ...key() })
    expect(retry.body.instance_token).toMatch(/^lit_/)
    const stranger = await world.another({ expires_at: null })
    const taken = await post('/licenses/activate', { instance_id: 's-1', license_key: stranger.licenseKey })
    expect([taken.status, taken.body.error]).toEqual([409, 'instance_id_taken'])
    const holder = await post(
      '/licenses/activate',
      { instance_id: 's-1', license_key: stranger.licenseKey },
      retry.body.instance_token,
    )
    expect(holder.body.status).toBe('active')
    const byApiKey = await post('/instances/register', { instance_id: 's-1' }, world.apiKey)
    expect(byApiKey.body.instance_token).toMatch(/^lit_/)
  })

  test('the chain advances by proven heartbeats and gives the same successor to a retry', async () => {
    const { body } = await post('/licenses/activate', { instance_id: 'c-1', ...key() })
    const next = (refresh_token: string, refresh_id: string) =>
      post(
        '/instances/heartbeat',
        {
          instance_id: 'c-1',
          reported_tier: 'pro',
          has_valid_entitlement: true,
          metrics: {},
          refresh_token,
          refresh_id,
        },
        body.instance_token,
      )
    const first = (await next(body.refresh_token, 'id-1')).body.config.feature_refresh_token
    const retry = (await next(body.refresh_token, 'id-1')).body.config.feature_refresh_token
    expect(retry).toBe(first)
    expect((await next(first, 'id-2')).body.config.feature_refresh_token).not.toBe(first)
  })

  test('telemetry comes in batches of one instance, each report judged by itself', async () => {
    const { body } = await post('/licenses/activate', { instance_id: 'b-1', ...key() })
    const boot_id = randomUUID()
    const report = (seq: number, more: object = {}) => ({
      instance_id: 'b-1',
      boot_id,
      seq,
      observed_at: '2026-03-01T10:00:00Z',
      metrics: { queries_total: seq * 10 },
      ...more,
    })
    const reports = [
      report(1),
      report(0),
      report(1),
      report(2, { instance_id: 'b-2' }),
      { seq: 'x' },
      report(3),
    ]
    const answer = await app.call('POST', '/api/v1/telemetry', {
      bearer: body.instance_token,
      body: { reports },
    })
    expect(answer.body).toEqual({
      accepted: 3,
      duplicates: 1,
      rejected: [
        { index: 3, error: 'instance_mismatch' },
        { index: 4, error: 'invalid_request' },
      ],
    })
    const nobody = await app.call('POST', '/api/v1/telemetry', { body: { reports } })
    expect(nobody.status).toBe(401)
    const empty = await app.call('POST', '/api/v1/telemetry', {
      bearer: body.jwt,
      body: { reports: [] },
    })
    expect(empty.status).toBe(422)
    const many = Array.from({ length: 500 }, (_, i) => report(i + 100))
    const bulk = await app.call('POST', '/api/v1/telemetry', { bearer: body.jwt, body: { reports: many } })
    expect(bulk.body).toEqual({ accepted: 500, duplicates: 0, rejected: [] })
  })
})
