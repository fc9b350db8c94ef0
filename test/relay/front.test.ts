import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, startTestApp, type TestApp } from '../support/app.ts'
import { removeRelay, startTestRelay, type TestRelay } from '../support/running-relay.ts'
import { createWorld, type World } from '../support/world.ts'

let app: TestApp
let world: World
let relay: TestRelay
/** A lease of `lagging` that ended two days ago. */
let expired: string
const DAY = 86_400_000

beforeAll(async () => {
  app = await startTestApp({ startAt: new Date(Date.now() - 3 * DAY).toISOString() })
  world = await createWorld(app, { license: { seat_limit: 4 } })
  const body = { instance_id: 'lagging', version: '1' }
  expired = (await app.call('POST', '/api/v1/licenses/token', { bearer: world.apiKey, body })).body.jwt
  app.clock.advance(3 * DAY)
  relay = await startTestRelay(app)
})

afterAll(async () => {
  await relay.stop()
  await removeRelay(relay)
  await app.stop()
})

const exchange = (instance: string, bearer = world.apiKey): Promise<Answer> =>
  relay.call('POST', '/api/v1/licenses/token', { bearer, body: { instance_id: instance, version: '1' } })

const activate = (instance: string, licenseKey = world.licenseKey): Promise<Answer> =>
  relay.call('POST', '/api/v1/licenses/activate', {
    body: { license_key: licenseKey, instance_id: instance, product: world.product },
  })

const heartbeat = (instance: string, bearer?: string, more: object = {}): Promise<Answer> =>
  relay.call('POST', '/api/v1/instances/heartbeat', {
    bearer,
    body: {
      instance_id: instance,
      product: world.product,
      reported_tier: 'pro',
      has_valid_entitlement: true,
      metrics: { agent_count: 1 },
      ...more,
    },
  })

describe('with the vendor in reach', () => {
  test('its answers come through, word for word, and say nothing of a cache', async () => {
    const answer = await exchange('online')
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({ expires_in: 86_400, action: 'none' })
    expect(answer.headers.get('Leasehold-Cache')).toBeNull()
  })

  test('its refusals come through too', async () => {
    const wrong = world.apiKey.slice(0, -1) + (world.apiKey.endsWith('x') ? 'y' : 'x')
    const answer = await exchange('online', wrong)
    expect(answer).toMatchObject({ status: 401, body: { error: 'api_key_unknown' } })
    expect(answer.headers.get('Content-Type')).toBe('application/problem+json')
  })

  test('the public keys are the vendor’s', async () => {
    const jwks = '/.well-known/jwks.json'
    const paths = ['/.well-known/leasehold-keys', jwks, `${jwks}?product=keldris`, '/api/v1/signing-key']
    for (const path of paths) {
      expect((await relay.call('GET', path)).text.trim(), path).toBe(
        (await app.call('GET', path)).text.trim(),
      )
    }
  })

  test('its JWK set has license keys alone, and knows of no product that the vendor does not', async () => {
    const { keys } = (await relay.call('GET', '/.well-known/jwks.json')).body
    const of = async (use: string) =>
      (await app.admin('GET', `/signing-keys?use=${use}`)).body.map(({ kid }: { kid: string }) => kid)
    expect(keys.map(({ kid }: { kid: string }) => kid).sort()).toEqual((await of('license')).sort())
    for (const path of ['/.well-known/jwks.json', '/api/v1/signing-key']) {
      const answer = await relay.call('GET', `${path}?product=nobody`)
      expect(answer).toMatchObject({ status: 404, body: { error: 'product_unknown' } })
    }
  })

  test.each([
    ['text/plain', '{}', 415, 'unsupported_media_type'],
    ['application/json', '[]', 400, 'invalid_json'],
    ['application/json', 'x'.repeat(70_000), 413, 'body_too_large'],
  ])('a body of %s is refused as the server refuses it', async (type, body, status, error) => {
    const headers = { 'Content-Type': type }
    const answer = await relay.call('POST', '/api/v1/licenses/token', { bearer: world.apiKey, body, headers })
    expect(answer).toMatchObject({ status, body: { error } })
  })
})

describe('with the vendor away', () => {
  let online: Answer
  let activated: Answer
  let lagging: Answer
  let away: TestRelay
  const ended: Record<'same' | 'renewed', string> = { same: '', renewed: '' }

  beforeAll(async () => {
    online = await exchange('kept')
    lagging = await exchange('lagging')
    ended.same = await newestOfEnded()
    ended.renewed = await newestOfEnded((license_id) =>
      app.admin('POST', '/api-keys', { license_id, name: 'second' }),
    )
    activated = await activate('seated')
    expect(activated.body.status).toBe('active')
    await heartbeat('seated')
    await activate('killed')
    const [killed] = (await app.admin('GET', '/instances?instance_id=killed')).body
    await app.admin('POST', `/instances/${killed.id}/action`, { action: 'kill', reason: 'stolen' })
    expect((await heartbeat('killed')).body.action).toBe('kill')
    // The same folder behind an address where nobody answers.
    away = await relay.again({ LEASEHOLD_UPSTREAM: 'http://127.0.0.1:9' })
    relay = away
  })

  test('an instance gets its license again, from a cache that was read from disk', async () => {
    const answer = await exchange('kept')
    expect(answer.status).toBe(200)
    expect(answer.body.jwt).toBe(online.body.jwt)
    expect(answer.body.expires_in).toBeGreaterThan(86_000)
    expect(answer.body.directive).toBeUndefined()
    expect(answer.headers.get('Leasehold-Cache')).toMatch(/^hit; age=\d+$/)
  })

  test('a refresh with its own JWT is answered the same', async () => {
    const answer = await relay.call('POST', '/api/v1/licenses/refresh', {
      bearer: online.body.jwt,
      body: { instance_id: 'kept', version: '1', telemetry: { queries_total: 3 } },
    })
    expect(answer).toMatchObject({ status: 200, body: { jwt: online.body.jwt } })
  })

  test('an expired JWT of who has proven more before is given nothing without a proof beside it (T8)', async () => {
    const refresh = (more: object) =>
      relay.call('POST', '/api/v1/licenses/refresh', {
        bearer: expired,
        body: { instance_id: 'lagging', version: '1', ...more },
      })
    for (const more of [{}, { refresh_token: online.body.refresh_token }]) {
      expect(await refresh(more)).toMatchObject({ status: 503, body: { error: 'vendor_unreachable' } })
    }
    const answer = await refresh({ refresh_token: lagging.body.refresh_token })
    expect(answer).toMatchObject({ status: 200, body: { jwt: lagging.body.jwt } })
  })

  test('a session that the vendor said is over is served to none of its JWTs, a later one is', async () => {
    expect(await refreshAs('parted', () => ended.same)).toMatchObject({ status: 503 })
    expect(await refreshAs('parted', () => ended.renewed)).toMatchObject({
      status: 200,
      body: { jwt: ended.renewed },
    })
  })

  test('activate and validate answer with what the vendor signed', async () => {
    const answer = await activate('seated')
    expect(answer.body).toMatchObject({ status: 'active', tier: 'pro', jwt: activated.body.jwt })
    expect(answer.body.entitlement_token).toEqual(expect.any(String))
    const validated = await relay.call('POST', '/api/v1/licenses/validate', {
      body: { license_key: world.licenseKey, instance_id: 'seated', product: world.product },
    })
    expect(validated.body).toMatchObject({ status: 'valid', limits: activated.body.limits })
  })

  test('a heartbeat is heard, and is kept for the vendor', async () => {
    const before = await queueLength()
    const answer = await heartbeat('seated', activated.body.jwt)
    expect(answer.body).toMatchObject({ status: 'ok', action: 'none' })
    expect(answer.body.config.feature_refresh_token).toMatch(/^[0-9a-f]{64}$/)
    expect(await queueLength()).toBe(before + 1)
  })

  test('a heartbeat that nothing proves is not taken: delivered by a relay it would count as proven (T11)', async () => {
    const before = await queueLength()
    const forged = { boot_id: '0b0c8f1e-6e0a-4a7e-9a53-0d6f5b8f7c11', seq: 9_007_199_254_740_000 }
    expect((await heartbeat('seated', undefined, forged)).status).toBe(503)
    expect((await heartbeat('seated', online.body.jwt, forged)).status).toBe(503)
    expect((await heartbeat('seated', activated.body.jwt, { product: 'other' })).status).toBe(503)
    // An action is told again: a client of plain words would take silence for freedom from it.
    const killed = await heartbeat('killed', undefined, forged)
    expect(killed).toMatchObject({ status: 200, body: { action: 'kill' } })
    expect(killed.body.entitlement_token).toBeUndefined()
    expect(await queueLength()).toBe(before)
  })

  test.each([
    ['a text that no database stores', { reported_tier: 'a\0b' }, 422],
    ['a text that is no Unicode', { metrics: { server_version: '\ud800' } }, 422],
    ['metrics of another form', { metrics: [1] }, 503],
    ['a number beyond all', { ack: 2 ** 60 }, 503],
    ['a year beyond all', { observed_at: '+275760-01-01T00:00:00Z' }, 503],
  ])('%s is not acknowledged: it would spoil its batch at the vendor', async (_name, more, status) => {
    const before = await queueLength()
    expect((await heartbeat('seated', activated.body.jwt, more)).status).toBe(status)
    expect(await queueLength()).toBe(before)
  })

  test('telemetry is taken from who is known, for whom is known', async () => {
    const report = (instance_id: string) => ({
      instance_id,
      boot_id: '0b0c8f1e-6e0a-4a7e-9a53-0d6f5b8f7c11',
      seq: 0,
      observed_at: new Date().toISOString(),
      metrics: { queries_total: 5 },
    })
    const reports = [report('kept'), report('stranger'), { ...report('kept'), metrics: { 'No name': 1 } }]
    const body = { reports }
    const answer = await relay.call('POST', '/api/v1/telemetry', { bearer: online.body.jwt, body })
    const rejected = [
      { index: 1, error: 'not_found' },
      { index: 2, error: 'invalid_request' },
    ]
    expect(answer.body).toEqual({ accepted: 1, duplicates: 0, rejected })
  })

  test.each([
    ['another instance with the same key', () => exchange('newcomer')],
    ['a key that was never seen', () => exchange('kept', `${world.apiKey.slice(0, -3)}abc`)],
    ['a JWT of another instance', () => refreshAs('seated', () => online.body.jwt)],
    ['a JWT that nobody signed', () => refreshAs('kept', () => `${online.body.jwt.slice(0, -6)}AAAAAA`)],
    ['an instance that is not known', () => heartbeat('newcomer')],
  ])('%s is told that nothing is known, which takes nothing (T2)', async (_name, ask) => {
    const answer = await ask()
    expect(answer).toMatchObject({ status: 503, body: { error: 'vendor_unreachable' } })
    expect(answer.headers.get('Retry-After')).toBe('30')
  })

  /** The last JWT of an instance one of whose earlier ones was told that its session is over. */
  async function newestOfEnded(makeKey?: (license: string) => Promise<Answer>): Promise<string> {
    const own = await world.another({ seat_limit: null })
    const first = (await exchange('parted', own.apiKey)).body.jwt
    const newest = makeKey
      ? await exchange('parted', (await makeKey(own.licenseId)).body.api_key)
      : await refreshAs('parted', () => first)
    expect(newest.status).toBe(200)
    await app.admin('POST', `/api-keys/${own.apiKeyId}/revoke`, { end_sessions: true })
    expect(await refreshAs('parted', () => first)).toMatchObject({
      status: 401,
      body: { error: 'session_ended' },
    })
    return newest.body.jwt
  }

  const refreshAs = (instance_id: string, bearer: () => string) =>
    relay.call('POST', '/api/v1/licenses/refresh', { bearer: bearer(), body: { instance_id, version: '1' } })

  test('no credential of an instance lies in the folder', async () => {
    const { readdir, readFile } = await import('node:fs/promises')
    const names = await readdir(relay.folder)
    expect(names).toContain('relay.sqlite')
    for (const name of names) {
      const bytes = await readFile(`${relay.folder}/${name}`)
      for (const secret of [world.apiKey, world.licenseKey, online.body.instance_token]) {
        expect(bytes.includes(Buffer.from(secret)), name).toBe(false)
      }
    }
  })

  const queueLength = async (): Promise<number> =>
    (await relay.local('GET', '/api/licenses/sync-status')).body.queue.length
})

describe('the local API', () => {
  test.each(['/api/licenses/current', '/api/licenses/sync-status', '/metrics'])(
    '%s is for those with the internal key',
    async (path) => {
      expect((await fetch(relay.url + path)).status).toBe(401)
      const headers = { Authorization: 'Bearer wrong' }
      expect((await fetch(relay.url + path, { headers })).status).toBe(401)
      expect((await relay.local('GET', path)).status).toBe(200)
    },
  )

  test('a sync without the vendor fails, and says why', async () => {
    const answer = await relay.local('POST', '/api/licenses/manual-sync')
    expect(answer).toMatchObject({ status: 503, body: { success: false, upstream: 'away' } })
  })
})
