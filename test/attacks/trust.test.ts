// The rules of the trust protocol, attacked end to end, one case or more a rule. What takeover.test.ts attacks is not
// repeated here.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keyringCache } from '../../src/domain/signing/keyring.ts'
import { nodeHost } from '../../src/sdk/host/node.ts'
import type { License } from '../../src/sdk/public.ts'
import { startLicenseOn } from '../../src/sdk/start.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { claimsOf } from '../support/verify.ts'
import { createWorld, type World } from '../support/world.ts'
import { describeClonesAndClocks } from './clones-and-clocks.ts'

const HOUR = 3_600_000
const NONCE = 'n0nce_n0nce_n0nce-1'
let app: TestApp
let world: World
beforeAll(async () => {
  app = await startTestApp()
  world = await createWorld(app, { instanceAuth: 'token', license: { expires_at: null, seat_limit: null } })
  await createWorld(app, { product: 'open', instanceAuth: 'open' })
})
afterAll(() => app.stop())

/** What lies between a product and its server: may change an answer's members, or refuse to carry it. */
type Between = (members: Record<string, unknown>) => Record<string, unknown>
const honest: Between = (members) => members

async function begin(credential: { apiKey?: string; licenseKey?: string }, between = { now: honest }) {
  const license = await startLicenseOn(
    nodeHost({
      clock: { wall: () => app.clock.now().getTime(), monotonic: () => app.clock.monotonic() },
      fetch: async (url, init) => {
        const response = await fetch(url, init)
        const isJson = /json/.test(response.headers.get('Content-Type') ?? '')
        if (!isJson || between.now === honest) return response
        const { status } = response
        const text = await response.text()
        return new Response(JSON.stringify(between.now(JSON.parse(text))), {
          status,
          headers: { 'Content-Type': 'application/json' },
        })
      },
      log: { info: () => {}, warn: () => {}, error: () => {} },
    }),
    {
      product: world.product,
      version: '1.4.0',
      serverUrl: app.url,
      trust: { issuer: app.services.settings.issuer, roots: [app.services.rootPublicKeyHex] },
      community: { tier: 'free', limits: { max_agents: 3 } },
      dataDir: await temporaryFolder('attacks-'),
      ...credential,
    },
  )
  return license
}

const post = (path: string, body: object, bearer?: string) =>
  app.call('POST', `/api/v1${path}`, { body: { product: 'keldris', ...body }, bearer })
const exchange = (of: World, instance_id: string, more: object = {}) =>
  post('/licenses/token', { instance_id, version: '1', ...more }, of.apiKey)
const refresh = (jwt: string, instance_id: string, more: object = {}) =>
  post('/licenses/refresh', { instance_id, version: '1', ...more }, jwt)
const beat = (instance_id: string, bearer?: string, more: object = {}) =>
  post(
    '/instances/heartbeat',
    { instance_id, reported_tier: 'pro', has_valid_entitlement: true, metrics: {}, ...more },
    bearer,
  )
const find = async (instance_id: string) => (await app.admin('GET', `/instances?text=${instance_id}`)).body[0]
const another = () => world.another({ expires_at: null, seat_limit: null })

describe('T1 to T3: a network that lies', () => {
  test('T1: a proxy that strips directives takes nothing and keeps nothing alive beyond the lease', async () => {
    const own = await another()
    const between = { now: honest }
    const license = await begin({ apiKey: own.apiKey }, between)
    expect(license.has('audit_logs')).toBe(true)
    between.now = ({ directive: _, ...rest }) => rest
    await app.admin('POST', `/licenses/${own.licenseId}/suspend`, { reason: 'unpaid' })
    await license.refreshNow()
    expect(license).toMatchObject({ state: 'ACTIVE', tier: 'pro' })
    // The lease and its grace are the bound on what a proxy can withhold (T6).
    app.clock.advance(32 * 24 * HOUR)
    await license.refreshNow()
    expect(license.state).toBe('EXPIRED')
    between.now = honest
    await license.refreshNow()
    expect(license).toMatchObject({ state: 'INVALID', reason: 'license_suspended' })
    await license.stop()
  })

  test('T1: words that nobody signed, or that answer another question, take nothing', async () => {
    const own = await another()
    const between = { now: honest }
    const license = await begin({ apiKey: own.apiKey }, between)
    const victim = await exchange(own, 'replayed', { nonce: NONCE })
    const { id } = await find('replayed')
    await app.admin('POST', `/instances/${id}/action`, { action: 'kill', reason: 'x' })
    const killed = (await exchange(own, 'replayed', { nonce: NONCE })).body.directive
    expect(claimsOf(killed).action).toBe('kill')
    expect(victim.status).toBe(200)
    for (const lie of [
      { action: 'kill', status: 'revoked', error: 'license_revoked' },
      { directive: killed, action: 'kill' },
      { directive: 'eyJhbGciOiJub25lIn0.e30.', status: 'expired' },
    ]) {
      between.now = () => lie
      await license.refreshNow()
      expect(license).toMatchObject({ state: 'ACTIVE', killed: false, tier: 'pro' })
    }
    await license.stop()
  })

  test('T2: what the server does not know, it signs no rejection of', async () => {
    const unknown = await post(
      '/licenses/token',
      { instance_id: 'u-1', version: '1', nonce: NONCE },
      world.apiKey.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a')),
    )
    expect(unknown.status).toBe(401)
    expect(unknown.body).not.toHaveProperty('directive')
    const own = await another()
    const { body } = await exchange(own, 'u-2', { nonce: NONCE })
    await app.admin('POST', `/api-keys/${own.apiKeyId}/revoke`, {})
    const after = await beat('u-2', body.instance_token, { nonce: NONCE })
    expect(claimsOf(after.body.directive).status).toBe('active')
  })

  test('T3: a killed instance is issued nothing, whatever it brings', async () => {
    const own = await another()
    const { body } = await exchange(own, 'dead-1')
    await app.admin('POST', `/instances/${(await find('dead-1')).id}/action`, { action: 'kill', reason: 'x' })
    const answers = [
      await exchange(own, 'dead-1'),
      await refresh(body.jwt, 'dead-1'),
      await beat('dead-1', body.instance_token),
      await post(
        '/licenses/activate',
        { instance_id: 'dead-1', license_key: own.licenseKey },
        body.instance_token,
      ),
      await exchange(await another(), 'dead-1', { instance_token: body.instance_token }),
    ]
    for (const answer of answers) {
      expect(answer.body).not.toHaveProperty('jwt')
      expect(answer.body).not.toHaveProperty('entitlement_token')
    }
  })
})

describe('T4: keys', () => {
  test.each([
    ['product', 'a.use = b.use and a.product_id < b.product_id'],
    ['use', 'a.product_id = b.product_id and a.use < b.use'],
  ])('wrapped keys swapped with those of another %s stop the start', async (_, pair) => {
    const scratch = await startTestApp()
    try {
      await createWorld(scratch, { product: 'one' })
      await createWorld(scratch, { product: 'two' })
      const start = () =>
        keyringCache(scratch.services.db, scratch.services.masterKey, scratch.clock).reload()
      await start()
      const swapped = await query(
        scratch.databaseUrl,
        `with pair as (select a.kid as one, b.kid as two, a.sealed_private_key as s1, b.sealed_private_key as s2
           from signing_keys a join signing_keys b on ${pair} limit 1)
         update signing_keys k set sealed_private_key = case when k.kid = one then s2 else s1 end
         from pair where k.kid in (one, two) returning k.kid`,
      )
      expect(swapped).toHaveLength(2)
      await expect(start()).rejects.toMatchObject({ name: 'StartError' })
    } finally {
      await scratch.stop()
    }
  })
})

describe('T8 to T11: stolen and forged', () => {
  test('T8: a stolen JWT is worth nothing once its seat was released, or its credential ended', async () => {
    const own = await another()
    const stolen = (await exchange(own, 's-1')).body
    await app.admin('DELETE', `/instances/${(await find('s-1')).id}/seats/${own.licenseId}`)
    expect((await refresh(stolen.jwt, 's-1')).body.error).toBe('session_ended')
    expect((await beat('s-1', stolen.jwt)).body.error).toBe('session_ended')
    const other = (await exchange(own, 's-2')).body
    await app.admin('POST', `/api-keys/${own.apiKeyId}/revoke`, { end_sessions: true })
    for (const answer of [await refresh(other.jwt, 's-2'), await beat('s-2', other.jwt)]) {
      expect([answer.status, answer.body.error]).toEqual([401, 'session_ended'])
      // Losing a credential is not losing the license (T2).
      expect(answer.body).not.toHaveProperty('directive')
    }
  })

  test('T9: who squats on an instance id loses it to the first proof of a license', async () => {
    const own = await another()
    const squatter = (await post('/instances/register', { instance_id: 'q-1' })).body.instance_token
    expect((await beat('q-1', squatter)).status).toBe(200)
    const owner = (await exchange(own, 'q-1')).body
    expect(owner.instance_token).toMatch(/^lit_/)
    expect((await beat('q-1', squatter)).status).toBe(401)
    expect((await beat('q-1', owner.instance_token)).status).toBe(200)
    expect((await post('/instances/register', { instance_id: 'q-1' })).body).toMatchObject({
      error: 'instance_id_taken',
      fix: expect.any(String),
    })
  })

  test('T10: a leaked license key takes no more seats than there are, and rotating it evicts nobody', async () => {
    const own = await world.another({ expires_at: null, seat_limit: 2 })
    const activate = (instance_id: string) =>
      post('/licenses/activate', { instance_id, license_key: own.licenseKey })
    const honestOne = (await activate('l-0')).body
    const thieves = await Promise.all([1, 2, 3, 4].map((i) => activate(`l-${i}`)))
    expect(thieves.filter(({ body }) => body.status === 'active')).toHaveLength(1)
    expect(thieves.find(({ body }) => body.status === 'limit_reached')?.body.fix).toBeTypeOf('string')
    await app.admin('POST', `/license-keys/${own.licenseKeyId}/revoke`, {})
    expect((await activate('l-0')).body).not.toHaveProperty('instance_token')
    expect((await refresh(honestOne.jwt, 'l-0')).status).toBe(200)
  })

  test('T11: forged heartbeats accuse at most, show as unverified, and acknowledge nothing', async () => {
    const open = (instance_id: string, more: object = {}) =>
      beat(instance_id, undefined, { product: 'open', ...more })
    await open('f-1')
    const { id } = await find('f-1')
    await app.admin('POST', `/instances/${id}/action`, { action: 'downgrade', reason: 'x' })
    const { action } = await find('f-1')
    await open('f-1', {
      ack: action.seq,
      reported_tier: 'enterprise',
      metrics: { agent_count: 1e6, feature_usage: ['oidc'] },
    })
    expect((await find('f-1')).action.acknowledged_at).toBeNull()
    const { body } = await app.admin('GET', `/anomalies?instance=${id}`)
    expect(body.length).toBeGreaterThan(0)
    for (const anomaly of body) expect(anomaly.verified).toBe(false)
    expect((await beat('f-2')).body.error).toBe('instance_token_required')
  })
})

describe('T12: a database restored from an hour ago', () => {
  const admin = () => app.databaseUrl.replace(/\/[^/]+$/, '/postgres')
  const name = () => new URL(app.databaseUrl).pathname.slice(1)
  /** Copies one database over the other, cutting off whoever is connected; pools connect again by themselves. */
  const copy = async (from: string, to: string) => {
    await query(admin(), `drop database if exists "${to}" with (force)`)
    await query(admin(), `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${from}'`)
    await query(admin(), `create database "${to}" template "${from}"`)
  }
  const highest = async () => {
    const [row] = await query(
      app.databaseUrl,
      `select (select max(number) from events)::float8 as event, (select max(number) from key_sets)::float8 as keys,
         (select max(action_seq) from instances)::float8 as action`,
    )
    return row as Record<'event' | 'keys' | 'action', number>
  }

  test('numbers go on, nobody is branded a clone, nobody loses a feature', async () => {
    const own = await another()
    const early = [await begin({ apiKey: own.apiKey }), await begin({ licenseKey: own.licenseKey })]
    await copy(name(), `${name()}_dump`)
    app.clock.advance(HOUR)
    for (const license of early) await license.refreshNow()
    const late = [await begin({ apiKey: own.apiKey }), await begin({ licenseKey: own.licenseKey })]
    const everybody: License[] = [...early, ...late]
    await app.admin('POST', '/signing-keys/rotate', { product: 'keldris', use: 'license' })
    const one = everybody[0] as License
    const { id } = await find(one.instanceId)
    await app.admin('POST', `/instances/${id}/action`, { action: 'downgrade', reason: 'x' })
    await app.admin('POST', `/instances/${id}/action`, { action: 'none', reason: 'x' })
    for (const license of everybody) await license.refreshNow()
    const before = await highest()
    await copy(`${name()}_dump`, name())
    app.clock.advance(3_000)
    await app.services.keyring.reload().catch(() => app.services.keyring.reload())

    for (let round = 0; round < 12; round += 1) {
      for (const license of everybody) {
        await license.refreshNow()
        expect([round, license.state, license.tier]).toEqual([round, 'ACTIVE', 'pro'])
        expect(license.has('audit_logs')).toBe(true)
      }
      app.clock.advance(6 * HOUR)
    }
    expect((await app.admin('GET', '/anomalies?type=instance_cloned')).body).toEqual([])
    await app.admin('POST', '/signing-keys/rotate', { product: 'keldris', use: 'license' })
    await app.admin('POST', `/instances/${(await find(one.instanceId)).id}/action`, {
      action: 'downgrade',
      reason: 'x',
    })
    const after = await highest()
    expect(after.event).toBeGreaterThan(before.event)
    expect(after.keys).toBeGreaterThan(before.keys)
    expect(after.action).toBeGreaterThan(before.action)
    await one.refreshNow()
    expect(one.downgraded).toBe(true)
    for (const license of everybody) await license.stop()
    await query(admin(), `drop database "${name()}_dump" with (force)`)
  }, 60_000)
})

test('T13: every refusal says what was refused, why, and what to do next', async () => {
  const own = await world.another({ expires_at: null, seat_limit: 0 })
  const refusals = [
    await exchange(own, 'r-1'),
    await beat('r-2'),
    await post('/licenses/activate', { instance_id: 'r-3', license_key: 'x.y' }),
    await refresh('eyJ.e30.x', 'r-4'),
    await post('/instances/register', { instance_id: 'r-5', product: 'nothing' }),
  ]
  for (const { status, body } of refusals) {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(body).toMatchObject({
      error: expect.any(String),
      detail: expect.any(String),
      fix: expect.any(String),
    })
    expect(body.message).toBe(body.detail)
  }
  expect(refusals[0]?.body).toMatchObject({ limit: 0, current: 0 })
})

// Last: they accuse an instance, and move the clock by months.
describeClonesAndClocks(() => ({ app, world }))
