import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import type { Memory } from '../../src/relay/front/remember.ts'
import { openChannel } from '../../src/relay/live/channel.ts'
import { paced } from '../../src/relay/sync/paced.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { until } from '../support/leasehold-process.ts'
import { query } from '../support/query.ts'
import { removeRelay, startTestRelay, type TestRelay } from '../support/running-relay.ts'
import { silentLog } from '../support/silent-log.ts'
import { listen, refusedWith, type SyncClient } from '../support/sync-client.ts'
import { type VendorInFront, vendorInFront } from '../support/vendor-in-front.ts'
import { createWorld, type World } from '../support/world.ts'

let app: TestApp
let world: World
let relay: TestRelay

beforeAll(async () => {
  app = await startTestApp({
    startAt: new Date().toISOString(),
    sync: { pollMs: 200 },
    settings: { syncUrl: 'wss://license.example.com/api/v1/sync' },
  })
  world = await createWorld(app)
  relay = await startTestRelay(app, { customerId: world.customerId })
  await until(async () => (await status()).live && (await status()).last_sync !== null)
})

afterAll(async () => {
  await relay.stop()
  await removeRelay(relay)
  await app.stop()
})

const status = async () => (await relay.local('GET', '/api/licenses/sync-status')).body

const exchange = (instance: string, bearer = world.apiKey) =>
  relay.call('POST', '/api/v1/licenses/token', {
    bearer,
    body: { instance_id: instance, version: '1' },
  })

describe('an enrolled relay', () => {
  test('shows the license that the vendor told it of', async () => {
    const answer = await relay.local('GET', '/api/licenses/current')
    expect(answer.body).toEqual({
      licensed: true,
      license: {
        id: world.licenseId,
        organization_name: 'Analytical Engines',
        license_type: { name: 'pro', features: ['audit_logs', 'oidc'] },
        product: 'keldris',
        status: 'active',
        max_users: null,
        limits: { max_agents: 100 },
        issued_at: expect.any(String),
        expires_at: '2027-03-01T12:00:00Z',
        server_fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
        sync_status: 'synced',
        last_sync: expect.any(String),
      },
    })
  })

  test('names the machine it runs on the same way after a restart', async () => {
    const before = (await relay.local('GET', '/api/licenses/current')).body.license.server_fingerprint
    relay = await relay.again()
    await until(async () => (await status()).live)
    const after = (await relay.local('GET', '/api/licenses/current')).body.license.server_fingerprint
    expect(after).toBe(before)
  })

  test('syncs a license that has grown stale when an instance or a person meets it', async () => {
    relay = await relay.again({ ENABLE_BACKGROUND_SYNC: 'false', LICENSE_CACHE_TTL: '700' })
    await until(async () => (await status()).live)
    // Advances with each sync; nobody looks at the relay for it.
    const chain = async () => JSON.stringify(await query(app.databaseUrl, 'select lineage from relays'))
    const quiet = async () => {
      await until(async () => (await status()).sync_status === 'ok')
      const before = await chain()
      await delay(800)
      expect(await chain(), 'nobody has met it').toBe(before)
      return before
    }
    await exchange('reporter')
    const meetings = [() => exchange('reporter'), () => relay.local('GET', '/api/licenses/current')]
    for (const meet of meetings) {
      const before = await quiet()
      await meet()
      await until(async () => (await chain()) !== before, 5000)
    }
    relay = await relay.again({ ENABLE_BACKGROUND_SYNC: 'true', LICENSE_CACHE_TTL: '1800000' })
    await until(async () => (await status()).live)
  })

  test('delivers what it was told while the vendor was away, once, at its own time', async () => {
    const { body } = await exchange('reporter')
    const at = new Date(Date.now() - 3_600_000).toISOString()
    const report = { boot_id: '0b0c8f1e-6e0a-4a7e-9a53-0d6f5b8f7c11', seq: 7, observed_at: at }
    const cut = await relay.again({ LEASEHOLD_UPSTREAM: 'http://127.0.0.1:9' })
    const heartbeat = {
      instance_id: 'reporter',
      product: world.product,
      reported_tier: 'pro',
      has_valid_entitlement: false,
      metrics: { agent_count: 4 },
      ...report,
    }
    for (let time = 0; time < 2; time++) {
      const answer = await cut.call('POST', '/api/v1/instances/heartbeat', {
        bearer: body.jwt,
        body: heartbeat,
      })
      expect(answer.body.status).toBe('ok')
    }
    relay = await cut.again({ LEASEHOLD_UPSTREAM: app.url })
    await until(async () => (await status()).queue.length === 0 && (await status()).live)
    const rows = await query(
      app.databaseUrl,
      `select observed_at, proof from reports where boot_id = '${report.boot_id}' and seq = 7`,
    )
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({ proof: 'relay' })
    expect(rows[0]?.observed_at).toEqual(new Date(at))
  })

  test('offers its own live channel, not the vendor’s', async () => {
    const { body } = await exchange('elsewhere')
    expect(body.config.sync).toBe(`${relay.url.replace('http', 'ws')}/api/v1/sync`)
  })

  test('passes on what changed within two seconds, to whom it concerns', async () => {
    const { body } = await exchange('listener')
    const mine = await listen(relay.url, { hello: { token: body.jwt, last_event: 0 } })
    const began = performance.now()
    await app.admin('POST', `/licenses/${world.licenseId}/suspend`, { reason: 'unpaid' })
    await until(() => mine.events().some(({ type }) => type === 'license.changed'), 5000)
    expect(performance.now() - began).toBeLessThan(2000)
    // The hint takes nothing; the question that follows is answered by the vendor.
    const refused = await exchange('listener')
    expect(refused).toMatchObject({ status: 403, body: { error: 'license_suspended' } })
    await app.admin('POST', `/licenses/${world.licenseId}/reinstate`, { reason: 'paid' })
    expect((await exchange('listener')).status).toBe(200)
    await mine.close()
  })
})

describe('its live channel', () => {
  let site: World
  let silent: SyncClient
  /** Milliseconds. */
  let silentFor: Promise<number>

  beforeAll(async () => {
    site = await world.another({ seat_limit: null })
    silent = await listen(relay.url, { hello: null })
    const since = performance.now()
    silentFor = silent.closed.then(() => performance.now() - since)
  })

  const licensed = async (instance: string): Promise<string> =>
    (await exchange(instance, site.apiKey)).body.jwt
  const ended = (client: SyncClient) =>
    Promise.race([client.closed.then(({ code }) => code), delay(10_000, 'still open', { ref: false })])

  test('is not for web pages, and takes no query and no stranger', async () => {
    expect(await refusedWith(relay.url, { headers: { Origin: 'https://evil.example' } })).toBe(403)
    expect(await refusedWith(relay.url, { path: '/api/v1/sync?token=x' })).toBe(400)
    expect(await refusedWith(relay.url, { bearer: 'lit_nobody' })).toBe(401)
    const stranger = await listen(relay.url, { hello: { token: 'lit_nobody' } })
    expect((await stranger.closed).code).toBe(4401)
  })

  test('bounds strangers to 4 KiB, to the protocol, and to 20 of an address', async () => {
    const greedy = await listen(relay.url, { hello: null })
    greedy.say({ type: 'hello', token: 'x'.repeat(5000) })
    expect((await greedy.closed).code).toBe(1009)
    const rude = await listen(relay.url, { hello: null })
    rude.say({ type: 'pong' })
    expect((await rude.closed).code).toBe(4400)
    const crowd = await Promise.all(Array.from({ length: 19 }, () => listen(relay.url, { hello: null })))
    expect(await refusedWith(relay.url, { hello: null })).toBe(429)
    const jwt = await licensed('known')
    const known = await listen(relay.url, { bearer: jwt })
    expect(known.messages[0]?.type).toBe('welcome')
    for (const client of [...crowd, known]) await client.close()
  })

  test('tells an instance of a license that it took up after its hello', async () => {
    const jwt = await licensed('upgrading')
    const client = await listen(relay.url, { bearer: jwt })
    const more = await site.another({ seat_limit: null })
    const taken = await exchange('upgrading', more.apiKey)
    expect(taken.status).toBe(200)
    await app.admin('POST', `/licenses/${more.licenseId}/suspend`, { reason: 'unpaid' })
    const changed = { type: 'license.changed', license_id: more.licenseId }
    await until(() => client.events().some((event) => isMatch(event, changed)))
    await client.close()
  })

  test('ends at the exp of the license JWT', async () => {
    // A tier without grace: its last lease ends with the license.
    const expires_at = new Date(Date.now() + 4000).toISOString()
    const brief = await site.another({ tier: 'free', expires_at, seat_limit: null })
    const { jwt } = (await exchange('expiring', brief.apiKey)).body
    const client = await listen(relay.url, { bearer: jwt })
    expect(client.messages[0]?.type).toBe('welcome')
    expect(await ended(client)).toBe(4402)
  })

  test('ends when the instance gives its seat back', async () => {
    const body = { license_key: site.licenseKey, instance_id: 'leaving', product: site.product }
    const { body: given } = await relay.call('POST', '/api/v1/licenses/activate', { body })
    const client = await listen(relay.url, { hello: { token: given.jwt } })
    expect((await relay.call('POST', '/api/v1/licenses/deactivate', { body })).status).toBe(200)
    expect(await ended(client)).toBe(4403)
  })

  test('ends when the vendor refuses the credential', async () => {
    const own = await site.another({ seat_limit: null })
    const { body: given } = await exchange('disowned', own.apiKey)
    const client = await listen(relay.url, { hello: { token: given.jwt } })
    const revoked = await app.admin('POST', `/api-keys/${own.apiKeyId}/revoke`, { end_sessions: true })
    expect(revoked.status).toBe(200)
    const body = { instance_id: 'disowned', version: '1' }
    const refused = await relay.call('POST', '/api/v1/licenses/refresh', { bearer: given.jwt, body })
    expect(refused.status).toBe(401)
    expect(await ended(client)).toBe(4403)
  })

  test('has eight places for an instance: the one that was silent the longest gives way', async () => {
    const jwt = await licensed('many')
    const clients: SyncClient[] = []
    for (let n = 0; n < 9; n++) clients.push(await listen(relay.url, { bearer: jwt }))
    expect((await clients[0]?.closed)?.code).toBe(1013)
    const left = clients.slice(1)
    expect(left.every(({ socket }) => socket.readyState === socket.OPEN)).toBe(true)
    for (const client of left) await client.close()
  })

  test('waits 5 s for a hello', async () => {
    expect((await silent.closed).code).toBe(4408)
    expect(await silentFor).toBeGreaterThan(4900)
    expect(await silentFor).toBeLessThan(8000)
  })

  test('sends everybody elsewhere when the relay stops, strangers too', async () => {
    const known = await listen(relay.url, { bearer: await licensed('last') })
    const stranger = await listen(relay.url, { hello: null })
    const began = performance.now()
    await relay.stop()
    expect(performance.now() - began).toBeLessThan(3000)
    expect([(await known.closed).code, (await stranger.closed).code]).toEqual([1001, 1001])
    relay = await relay.again()
  })
})

describe('what the vendor refuses one request for', () => {
  let vendor: VendorInFront
  let mine: TestRelay
  let own: World

  beforeAll(async () => {
    own = await world.another({ seat_limit: null })
    vendor = await vendorInFront(app.url)
    mine = await startTestRelay(app, { customerId: world.customerId, upstream: vendor.url })
    await until(async () => (await upstreamOf()) === 'reachable')
  })

  afterAll(async () => {
    await mine.stop()
    await removeRelay(mine)
    await vendor.stop()
  })

  const upstreamOf = async () => (await mine.local('GET', '/api/licenses/sync-status')).body.upstream
  const ask = (instance: string) =>
    mine.call('POST', '/api/v1/licenses/token', {
      bearer: own.apiKey,
      body: { instance_id: instance, version: '1' },
    })
  const register = (instance: string, bearer?: string) =>
    mine.call('POST', '/api/v1/instances/register', {
      bearer,
      body: { instance_id: instance, product: world.product },
    })

  test('with 429 goes to its sender as the vendor said it, and everybody else is served by the vendor', async () => {
    expect(await ask('neighbour')).toMatchObject({ status: 200 })
    vendor.refuse(/register$/, 'too_many_unproven')
    const answer = await register('stranger')
    expect(answer).toMatchObject({ status: 429, body: { error: 'too_many_unproven' } })
    expect(answer.headers.get('Retry-After')).toBe('77')
    const served = await ask('neighbour')
    expect(served.status).toBe(200)
    expect(served.headers.get('Leasehold-Cache')).toBeNull()
    expect(await upstreamOf()).toBe('reachable')
  })

  test.each(['overloaded', 'shutting_down'] as const)(
    'with 503 %s is answered from the cache, and everybody else by the vendor',
    async (error) => {
      vendor.refuse(/token$/, error)
      expect((await ask('neighbour')).headers.get('Leasehold-Cache')).toMatch(/^hit/)
      vendor.refuse(null)
      expect((await ask('other')).headers.get('Leasehold-Cache')).toBeNull()
      expect(await upstreamOf()).toBe('reachable')
    },
  )

  test('with 503 is told of again to who asked in vain, and to no other, while the channel stays open', async () => {
    const [jwt, bystander] = [(await ask('hinted')).body.jwt, (await ask('bystander')).body.jwt]
    const client = await listen(mine.url, { bearer: jwt })
    const other = await listen(mine.url, { bearer: bystander })
    const resyncs = ({ messages }: SyncClient) =>
      messages.filter(({ type }) => type === 'resync_required').length
    await delay(100)
    const [before, ofOther] = [resyncs(client), resyncs(other)]
    vendor.refuse(/./, 'database_unavailable')
    expect((await ask('hinted')).headers.get('Leasehold-Cache')).toMatch(/^hit/)
    expect((await ask('hinted-unheard')).status).toBe(503)
    await delay(300)
    expect(resyncs(client)).toBe(before)
    vendor.refuse(null)
    // Nobody asks for anything: the relay itself finds that the vendor is there.
    await until(() => resyncs(client) === before + 1, 10_000)
    expect((await ask('hinted')).headers.get('Leasehold-Cache')).toBeNull()
    expect(resyncs(other)).toBe(ofOther)
    // Whoever had no socket at that moment is told when it opens one.
    const place = client.messages.findLast(({ type }) => type === 'resync_required')
    const hello = { last_event: place && 'event' in place ? place.event : 0 }
    const { jwt: unheard } = (await ask('hinted-unheard')).body
    const late = await listen(mine.url, { bearer: unheard, hello })
    await until(() => resyncs(late) === 1)
    const again = await listen(mine.url, { bearer: unheard, hello })
    await delay(100)
    expect(resyncs(again)).toBe(0)
    for (const one of [client, other, late, again]) await one.close()
  })

  test('with 503 of its database is an outage, for everybody', async () => {
    vendor.refuse(/token$/, 'database_unavailable')
    expect((await ask('neighbour')).headers.get('Leasehold-Cache')).toMatch(/^hit/)
    vendor.refuse(null)
    expect((await ask('neighbour')).headers.get('Leasehold-Cache')).toMatch(/^hit/)
    await until(async () => (await ask('neighbour')).headers.get('Leasehold-Cache') === null)
  })

  test('an address that shows no credential is bounded before it reaches the vendor', async () => {
    vendor.refuse(/register$/, 'invalid_request')
    const answers = await Promise.all(Array.from({ length: 90 }, (_, i) => register(`stranger-${i}`)))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(0)
    expect(refused[0]).toMatchObject({ body: { error: 'rate_limited', reason: 'address', limit: 60 } })
    expect(Number(refused[0]?.headers.get('Retry-After'))).toBeGreaterThan(0)
    expect((await register('known', 'lit_shown')).status).toBe(422)
    vendor.refuse(null)
    expect(await ask('neighbour')).toMatchObject({ status: 200 })
  })
})

test('work that is asked for too often is done at once, and once more when its rest is over', async () => {
  let done = 0
  const work = paced(50, () => void done++)
  for (let time = 0; time < 100; time++) work()
  expect(done).toBe(1)
  await until(() => done === 2)
  await delay(120)
  expect(done).toBe(2)
})

test('an upstream that floods its channel costs one question at once, and few after', async () => {
  const upstream = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(upstream, 'listening')
  const { port } = upstream.address() as AddressInfo
  let lastSent = 0
  upstream.on('connection', (socket) => {
    socket.once('message', () => {
      socket.send(JSON.stringify({ type: 'welcome', event: 1, ping_interval: 30 }))
      for (let event = 2; event <= 500; event++) {
        socket.send(JSON.stringify({ type: 'keys.changed', event, product: 'keldris' }))
      }
      lastSent = performance.now()
    })
  })
  const asked = { keys: 0, licenses: 0 }
  const memory = { keys: { refetch: async () => ++asked.keys > 0 } } as unknown as Memory
  const channel = openChannel({
    memory,
    enrolment: { upstream: `http://127.0.0.1:${port}`, relayKey: 'lrk_of-a-test-0000000' },
    log: silentLog,
    upstream: { counts: { answered: 0, away: 0 }, isAway: () => false },
    onHint: () => void asked.licenses++,
    onOwed: () => {},
  })
  await until(() => lastSent > 0 && performance.now() - lastSent > 700)
  expect(asked.keys).toBe(1)
  expect(asked.licenses).toBe(2)
  await channel.stop()
  upstream.close()
})

const isMatch = (event: object, wanted: object): boolean =>
  Object.entries(wanted).every(([name, value]) => event[name as keyof typeof event] === value)
