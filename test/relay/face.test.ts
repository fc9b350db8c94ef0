// What a site's people meet of the relay: how it is enrolled, warns, counts, and what it refuses for another machine.
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Logger } from '../../src/platform/logger.ts'
import { enrolRelay } from '../../src/relay/enroll.ts'
import { thresholdWatch } from '../../src/relay/local/metrics.ts'
import type { LicenseStanding, Standing } from '../../src/relay/local/standing.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { until } from '../support/leasehold-process.ts'
import { INTERNAL_KEY, removeRelay, startTestRelay, type TestRelay } from '../support/running-relay.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { createWorld, type World } from '../support/world.ts'

let app: TestApp
let world: World
let relay: TestRelay
let folder: string
const lines: string[] = []
const line = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`)
const log: Logger = { debug: line, info: line, warn: line, error: line, child: () => log }

beforeAll(async () => {
  folder = await temporaryFolder('leasehold-test-face-')
  app = await startTestApp({ startAt: new Date().toISOString(), sync: { pollMs: 200 } })
  world = await createWorld(app, { license: { seat_limit: null } })
  relay = await startTestRelay(app, { customerId: world.customerId, log })
  await synced()
})

afterAll(async () => {
  await relay.stop()
  await removeRelay(relay)
  await app.stop()
  await rm(folder, { recursive: true, force: true })
})

const synced = () =>
  until(async () => (await relay.local('POST', '/api/licenses/manual-sync')).status === 200)
const exchange = (instance_id: string, bearer: string) =>
  relay.call('POST', '/api/v1/licenses/token', { bearer, body: { instance_id, version: '1' } })
const onSite = (what: string, instance_id: string, { licenseKey: license_key, product }: World) =>
  relay.call('POST', `/api/v1/licenses/${what}`, { body: { license_key, instance_id, product } })
const metrics = async (): Promise<string> => (await relay.local('GET', '/metrics')).text

describe('a license that is bound to another machine', () => {
  let bound: World
  const refused = {
    status: 403,
    body: { error: 'machine_mismatch', fix: expect.stringMatching(/fingerprint/) },
  }

  beforeAll(async () => {
    bound = await world.another({ seat_limit: null })
    expect((await exchange('early', bound.apiKey)).status).toBe(200)
    expect((await onSite('activate', 'early', bound)).body.status).toBe('active')
    await app.admin('PATCH', `/licenses/${bound.licenseId}`, { fingerprint: 'f'.repeat(64) })
    await synced()
  })

  test('is not granted here, whatever proves it and wherever the vendor is', async () => {
    const { body: elsewhere } = await app.call('POST', '/api/v1/licenses/token', {
      bearer: bound.apiKey,
      body: { instance_id: 'early', version: '1' },
    })
    const refresh = () =>
      relay.call('POST', '/api/v1/licenses/refresh', {
        bearer: elsewhere.jwt,
        body: { instance_id: 'early', version: '1' },
      })
    const fresh = await world.another({ seat_limit: null, fingerprint: 'e'.repeat(64) })
    await synced()
    // Its key was never seen here: the vendor's answer tells what it is of.
    expect(await exchange('late', fresh.apiKey)).toMatchObject(refused)
    for (const _ of ['online', 'offline']) {
      expect(await exchange('early', bound.apiKey)).toMatchObject(refused)
      expect(await exchange('newcomer', bound.apiKey)).toMatchObject(refused)
      expect(await onSite('activate', 'early', bound)).toMatchObject(refused)
      expect(await onSite('validate', 'early', bound)).toMatchObject(refused)
      expect(await refresh()).toMatchObject(refused)
      if (_ === 'online') relay = await relay.again({ LEASEHOLD_UPSTREAM: 'http://127.0.0.1:9' })
    }
    relay = await relay.again({ LEASEHOLD_UPSTREAM: app.url })
    await synced()
  })

  test('is heard of all the same, without what a heartbeat would grant', async () => {
    const heartbeat = await relay.call('POST', '/api/v1/instances/heartbeat', {
      body: {
        instance_id: 'early',
        product: bound.product,
        reported_tier: 'pro',
        has_valid_entitlement: true,
        metrics: { agent_count: 1 },
      },
    })
    expect(heartbeat).toMatchObject({ status: 200, body: { status: 'ok' } })
    expect(heartbeat.body.entitlement_token).toBeUndefined()
    expect((await onSite('deactivate', 'early', bound)).status).toBe(200)
  })

  test('is logged, and another license is served', async () => {
    const told = lines.filter((text) => text.startsWith('the license is bound to another machine'))
    expect(told.some((text) => text.includes(bound.licenseId))).toBe(true)
    expect((await exchange('early', world.apiKey)).status).toBe(200)
  })

  test('is served once it names this machine', async () => {
    const { license } = (await relay.local('GET', '/api/licenses/current')).body
    await app.admin('PATCH', `/licenses/${bound.licenseId}`, { fingerprint: license.server_fingerprint })
    await synced()
    expect((await exchange('early', bound.apiKey)).status).toBe(200)
  })
})

describe('a development license', () => {
  const start = async (content: unknown): Promise<TestRelay> => {
    const file = join(folder, 'development.json')
    await writeFile(file, JSON.stringify(content), { mode: 0o600 })
    return startTestRelay(app, { log, env: { LEASEHOLD_DEVELOPMENT_LICENSE: file } })
  }
  const SMALL = { tier: 'dev', features: ['oidc'], limits: { max_agents: 2, max_users: 3 } }
  const WATERMARK = 'DEVELOPMENT LICENSE: not for production'

  test('is off unless it is named', async () => {
    const none = await startTestRelay(app)
    expect((await none.local('GET', '/api/licenses/current')).body).toMatchObject({ licensed: false })
    expect((await none.local('GET', '/metrics')).text).not.toMatch(/^leasehold_relay_development_license\{/m)
    await none.stop()
    await removeRelay(none)
  })

  test('is shown where the vendor has told of none, with its mark in answer, status, metrics and log', async () => {
    lines.length = 0
    const site = await start(SMALL)
    expect((await site.local('GET', '/api/licenses/current')).body).toMatchObject({
      licensed: true,
      license: {
        id: 'development',
        development: true,
        watermark: WATERMARK,
        organization_name: WATERMARK,
        status: 'development',
        license_type: { name: 'dev', features: ['oidc'] },
        limits: SMALL.limits,
        max_users: 3,
        sync_status: 'failed',
      },
    })
    expect((await site.local('GET', '/api/licenses/sync-status')).body.development_license).toBe('served')
    expect((await site.local('GET', '/metrics')).text).toContain(
      'leasehold_relay_development_license{served="true"} 1',
    )
    expect(lines.some((text) => text.startsWith('DEVELOPMENT LICENSE configured: never in production'))).toBe(
      true,
    )
    // It signs nothing: no instance gets a right out of it.
    const asked = await site.call('POST', '/api/v1/licenses/token', {
      bearer: `${world.apiKey.slice(0, -3)}abc`,
      body: { instance_id: 'dev', version: '1' },
    })
    expect(asked.status).toBeGreaterThanOrEqual(400)
    await site.stop()
    await removeRelay(site)
  })

  test('gives way to what the vendor tells, whatever that is', async () => {
    const file = join(folder, 'development.json')
    await writeFile(file, JSON.stringify(SMALL), { mode: 0o600 })
    relay = await relay.again({ LEASEHOLD_DEVELOPMENT_LICENSE: file })
    await synced()
    expect((await relay.local('GET', '/api/licenses/current')).body.license.id).not.toBe('development')
    expect(await metrics()).toContain('leasehold_relay_development_license{served="false"} 1')
  })

  test.each([
    ['an unlimited limit', { ...SMALL, limits: { max_agents: -1 } }],
    ['a large one', { ...SMALL, limits: { max_agents: 11 } }],
    ['many features', { ...SMALL, features: Array.from({ length: 11 }, (_, n) => `f${n}`) }],
    ['no tier', { features: [], limits: {} }],
  ])('with %s is refused', async (_what, content) => {
    await expect(start(content)).rejects.toThrow('is no development license')
  })
})

describe('thresholds', () => {
  const quiet: Standing = {
    at: 0,
    relayId: 'rly_x',
    fingerprint: '',
    upstream: { url: '', away: false, live: true },
    sync: { lastSuccess: 0, lastAttempt: 0, lastError: null, succeeded: 100, failed: 0, running: false },
    syncedAt: 0,
    licenses: [],
    queue: { length: 0, bytes: 0, dropped: 0, oldestAt: null },
    counts: { kept: 100, missed: 0, inGrace: 0, forwarded: 0 },
    hitRate: 1,
    syncRate: 1,
    graceRate: 0,
    sockets: 0,
    development: 'off',
  }
  const ending = (daysLeft: number) =>
    ({ license_id: 'lic_x', product: 'keldris', daysLeft }) as LicenseStanding

  test.each<[string, Partial<Standing>, Partial<Standing>]>([
    ['license ends within 7 days', { licenses: [ending(7)] }, { licenses: [ending(6)] }],
    ['cache hit rate under 90 %', { hitRate: 0.9 }, { hitRate: 0.89 }],
    ['sync success under 95 %', { syncRate: 0.95 }, { syncRate: 0.94 }],
    ['over 5 % of requests served past the stale period', { graceRate: 0.05 }, { graceRate: 0.06 }],
    ['DEVELOPMENT LICENSE served', { development: 'configured' }, { development: 'served' }],
  ])('%s: warned of once when it is crossed, and said once when it is not any more', (message, at, past) => {
    const warned: string[] = []
    const said: string[] = []
    const watch = thresholdWatch({
      ...log,
      warn: (_fields, text) => void warned.push(text),
      info: (_fields, text) => void said.push(text),
    })
    watch({ ...quiet, ...at })
    expect(warned).toEqual([])
    for (let look = 0; look < 3; look++) watch({ ...quiet, ...past })
    expect(warned).toEqual([expect.stringContaining(message)])
    for (let look = 0; look < 3; look++) watch({ ...quiet, ...at })
    expect(said).toEqual([expect.stringContaining(`no longer: ${warned[0]}`)])
  })

  test('a share of few says nothing', () => {
    const warned: string[] = []
    const watch = thresholdWatch({ ...log, warn: (_fields, text) => void warned.push(text) })
    const sync = { ...quiet.sync, succeeded: 1, failed: 1 }
    watch({
      ...quiet,
      counts: { kept: 1, missed: 3, inGrace: 1, forwarded: 0 },
      hitRate: 0.25,
      graceRate: 1,
      sync,
      syncRate: 0.5,
    })
    expect(warned).toEqual([])
  })
})

test('the metrics are those that dashboards know', async () => {
  const names = (await metrics()).match(/(?<=^# TYPE leasehold_relay_)\w+/gm)
  expect(names).toEqual([
    'upstream_up',
    'live_channel_open',
    'cache_hit_ratio',
    'sync_success_ratio',
    'grace_ratio',
    'requests',
    'queue_length',
    'queue_bytes',
    'queue_age_seconds',
    'queue_dropped',
    'license_days_remaining',
    'license_state',
    'leased_seats',
    'development_license',
    'instance_sockets',
  ])
  expect(await metrics()).toContain(`{license="${world.licenseId}",product="keldris",state="synced"} 1`)
})

test('answers, metrics and status tell one age of a license: when the vendor last spoke of it', async () => {
  const own = await world.another({ seat_limit: null })
  const before = { LICENSE_CACHE_TTL: '1800000', LEASEHOLD_UPSTREAM: app.url }
  relay = await relay.again({ LICENSE_CACHE_TTL: '2000', LEASEHOLD_DEVELOPMENT_LICENSE: '' })
  expect((await exchange('aging', own.apiKey)).status).toBe(200)
  await new Promise((done) => setTimeout(done, 2100))
  await synced()
  relay = await relay.again({ LEASEHOLD_UPSTREAM: 'http://127.0.0.1:9' })
  const told = async () => {
    const { headers } = await exchange('aging', own.apiKey)
    const { licenses } = (await relay.local('GET', '/api/licenses/sync-status')).body
    const { state } = licenses.find(({ license_id }: { license_id: string }) => license_id === own.licenseId)
    const metric = `{license="${own.licenseId}",product="keldris",state="${state}"} 1`
    expect(await metrics()).toContain(metric)
    return [headers.get('Leasehold-Cache'), state]
  }
  expect(await told()).toEqual([expect.stringMatching(/^hit; age=[01]$/), 'synced'])
  await new Promise((done) => setTimeout(done, 2100))
  expect(await told()).toEqual([expect.stringMatching(/^stale; age=[2-4]$/), 'stale'])
  relay = await relay.again(before)
})

test('the cache is cleaned up by the clock, and not where that is switched off', async () => {
  // A tier without grace: its last lease ends with the license.
  const expires_at = new Date(Date.now() + 1000).toISOString()
  const brief = await world.another({ tier: 'free', expires_at, seat_limit: null })
  expect((await exchange('brief', brief.apiKey)).status).toBe(200)
  const times = {
    LEASEHOLD_DEVELOPMENT_LICENSE: '',
    LICENSE_CACHE_TTL: '1',
    STALE_GRACE_PERIOD: '0',
    FAILED_CACHE_MAX_AGE: '1000',
  }
  const cleaned = () => lines.some((text) => text.startsWith('cleaned up the cache'))
  lines.length = 0
  relay = await relay.again({ ...times, CLEANUP_INTERVAL: '100', ENABLE_CACHE_CLEANUP: 'false' })
  await synced()
  await new Promise((done) => setTimeout(done, 2300))
  expect(cleaned()).toBe(false)
  relay = await relay.again({ ENABLE_CACHE_CLEANUP: 'true' })
  await until(cleaned)
})

test('the session of the page is for https alone where people come over https', async () => {
  const signIn = async (): Promise<string> => {
    const body = new URLSearchParams({ key: INTERNAL_KEY })
    const answer = await fetch(`${relay.url}/page/sign-in`, { method: 'POST', body, redirect: 'manual' })
    return answer.headers.get('Set-Cookie') ?? ''
  }
  expect(await signIn()).toMatch(/HttpOnly.*SameSite=Strict/)
  expect(await signIn()).not.toContain('Secure')
  relay = await relay.again({ PUBLIC_URL: 'https://relay.plant.example' })
  expect(await signIn()).toContain('; Secure')
})

describe('an enrolment', () => {
  let upstream: Server
  let asked: string[] = []
  /** What the upstream answers the code with; null: nothing. */
  let answer: object | null = {}
  let keySet = ''

  beforeAll(async () => {
    keySet = (await app.call('GET', '/.well-known/leasehold-keys')).text.trim()
    upstream = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`)
      if (request.method === 'GET') return void response.end(keySet)
      if (answer === null) return void request.socket.destroy()
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer))
    }).listen(0, '127.0.0.1')
    await once(upstream, 'listening')
  })
  afterAll(() => upstream.close())

  const enrol = (issuer = app.services.settings.issuer) => {
    asked = []
    return enrolRelay({
      folder: join(folder, 'enrolled'),
      upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
      code: 'lre_code',
      roots: [app.services.rootPublicKeyHex],
      issuer,
      name: null,
      version: '0',
      timeout: 1000,
    })
  }
  const good = () => ({
    relay_id: `rly_${'0'.repeat(31)}1`,
    relay_key: `lrk_${'x'.repeat(49)}`,
    customer_id: world.customerId,
    issuer: app.services.settings.issuer,
    products: [],
    key_set: keySet,
  })

  test('at an address that publishes keys of nobody known ends before the code is sent', async () => {
    await expect(enrol('https://another.example')).rejects.toMatchObject({
      message: expect.stringContaining('does not speak for the vendor'),
      fix: expect.stringContaining('The code was not sent.'),
    })
    expect(asked).toEqual(['GET /.well-known/leasehold-keys'])
  })

  test.each([
    ['of another issuer', () => ({ ...good(), issuer: 'https://another.example' })],
    [
      'with a key set that the pinned root did not sign',
      () => ({ ...good(), key_set: `${keySet.slice(0, -4)}AAAA` }),
    ],
    ['that is none', () => ({ hello: 'world' })],
  ])('that gets an answer %s keeps nothing of it, and says that the code was sent', async (_what, given) => {
    answer = given()
    await expect(enrol()).rejects.toMatchObject({ fix: expect.stringContaining('The code was sent to it') })
    expect(asked).toHaveLength(2)
  })

  test('whose answer is lost says that the code may be used up', async () => {
    answer = null
    await expect(enrol()).rejects.toMatchObject({ fix: expect.stringContaining('may be used up') })
  })
})
