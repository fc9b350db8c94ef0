// Seats and reports of a relay in a process of its own, cut off from the vendor, killed, and let back.
import { randomUUID } from 'node:crypto'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { bundle } from '../../scripts/bundle.ts'
import { type Answer, caller, startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { type RelayProcess, relayProcess } from '../support/relay-process.ts'
import { removeRelay, startTestRelay, type TestRelay } from '../support/running-relay.ts'
import { createWorld, type World } from '../support/world.ts'

const NOWHERE = { LEASEHOLD_UPSTREAM: 'http://127.0.0.1:9' }
const SEATS = 5

let app: TestApp
let world: World
let relay: TestRelay
let program: string

beforeAll(async () => {
  app = await startTestApp({ startAt: new Date().toISOString() })
  world = await createWorld(app, { instanceAuth: 'token', license: { seat_limit: 50 } })
  relay = await startTestRelay(app, { customerId: world.customerId })
  program = (await bundle('test/support/relay-program.ts', join(relay.folder, '..'))).program
})

afterAll(async () => {
  await relay.stop()
  await removeRelay(relay)
  await app.stop()
})

const nonce = () => randomUUID().replaceAll('-', '')

/** Lets the relay give out so many seats of the license, and waits until it has heard so. */
async function allot(license: World, seats: number): Promise<void> {
  const path = `/relays/${relay.relay.relayId}/allotments/${license.licenseId}`
  expect((await app.admin('PUT', path, { seats })).status).toBeLessThan(300)
  expect((await relay.local('POST', '/api/licenses/manual-sync')).status).toBe(200)
}

/** The relay on its folder in a process, without a vendor; `work` may kill it. */
async function cutOff(work: (process: RelayProcess) => Promise<void>, folder = relay.folder): Promise<void> {
  const process = await relayProcess(program, { LEASEHOLD_RELAY_DIR: folder, ...NOWHERE, LOG_LEVEL: 'error' })
  process.launch()
  try {
    await process.ready()
    await work(process)
  } finally {
    await process.stop()
  }
}

/** A leased seat is an answer that the vendor's own document does not have. */
const activate = (url: string, license: World, instance_id: string): Promise<Answer> =>
  caller(url, { documented: false })('POST', '/api/v1/licenses/activate', {
    body: { license_key: license.licenseKey, instance_id, product: license.product, nonce: nonce() },
  })

const exchange = (url: string, license: World, instance_id: string): Promise<Answer> =>
  caller(url)('POST', '/api/v1/licenses/token', {
    bearer: license.apiKey,
    body: { instance_id, version: '1', nonce: nonce() },
  })

const heartbeat = (
  url: string,
  bearer: string,
  numbers: { bootId: string; seq: number } | null,
): Promise<Answer> =>
  caller(url)('POST', '/api/v1/instances/heartbeat', {
    bearer,
    body: {
      instance_id: 'reporter',
      product: world.product,
      reported_tier: 'pro',
      has_valid_entitlement: true,
      metrics: { queries_total: 1000 },
      ...(numbers
        ? { boot_id: numbers.bootId, seq: numbers.seq, observed_at: new Date().toISOString() }
        : {}),
    },
  })

/** Those of the instances that hold a lease now. */
async function leased(url: string, license: World, names: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(names.map((name) => activate(url, license, name).catch(() => null)))
  return names.filter((_, i) => answers[i]?.body?.lease !== undefined)
}

const many = (prefix: string, length: number) => Array.from({ length }, (_, i) => `${prefix}-${i}`)

describe('a relay that was cut off, after a restart', () => {
  test('gives 200 instances that ask at once exactly the seats allotted, and says why to the rest', async () => {
    await exchange(relay.url, world, 'known')
    await allot(world, SEATS)
    await relay.stop()
    await cutOff(async ({ url }) => {
      const names = many('new', 200)
      const answers = await Promise.all(names.map((name) => activate(url, world, name)))
      const holders = names.filter((_, i) => answers[i]?.body.lease !== undefined)
      expect(holders).toHaveLength(SEATS)
      const refused = answers.filter(({ body }) => body.lease === undefined)
      for (const { status, body } of refused) {
        expect({ status, ...body }).toMatchObject({
          status: 'limit_reached',
          reason: 'allotment_exhausted',
          limit: SEATS,
          current: SEATS,
        })
      }
      // An API key is not denied by a relay: it waits for the vendor, and is told for what.
      expect(await exchange(url, world, 'one-more')).toMatchObject({
        status: 503,
        body: { error: 'vendor_unreachable', reason: 'allotment_exhausted', limit: SEATS },
      })
      expect((await leased(url, world, names)).sort()).toEqual(holders.sort())
    })
  })

  test('loses no lease and no report that it acknowledged, and gives no seat twice, however often it is killed', async () => {
    relay = await relay.again()
    const license = await world.another({ seat_limit: 50 })
    const { body } = await exchange(relay.url, world, 'reporter')
    await allot(license, SEATS)
    await relay.stop()
    const names = many('killed', 60)
    const bootId = randomUUID()
    const reports: number[] = []
    const leases = new Set<string>()
    await cutOff(async (process) => {
      const beat = async (seq: number) => {
        const answer = await heartbeat(process.url, body.jwt, { bootId, seq }).catch(() => null)
        if (answer?.status === 200) reports.push(seq)
      }
      for (let round = 0; round < 3; round++) {
        const asking = leased(process.url, license, names)
        const beating = Promise.all(Array.from({ length: 60 }, (_, i) => beat(round * 60 + i)))
        await sleep(20 + round * 30)
        await process.stop('SIGKILL')
        for (const name of await asking) leases.add(name)
        await beating
        process.launch()
        await process.ready()
      }
      const holders = await leased(process.url, license, names)
      expect(holders).toHaveLength(SEATS)
      expect(holders).toEqual(expect.arrayContaining([...leases]))
      await Promise.all(Array.from({ length: 20 }, (_, i) => beat(1000 + i)))
    })
    expect(reports.length).toBeGreaterThanOrEqual(20)
    relay = await relay.again()
    expect((await relay.local('POST', '/api/licenses/manual-sync')).body.queue.length).toBe(0)
    const rows = await query(
      app.databaseUrl,
      `select seq::int as seq, count(*)::int as times from reports where boot_id = '${bootId}' group by seq`,
    )
    expect(rows.map(({ seq }) => Number(seq))).toEqual(expect.arrayContaining(reports))
    expect(rows.filter(({ times }) => times !== 1)).toEqual([])
  })
})

describe('a leased seat', () => {
  const leaseRows = (license: World) =>
    query(
      app.databaseUrl,
      `select released from relay_leases join licenses on licenses.id = license_id
       where 'lic_' || replace(licenses.id::text, '-', '') = '${license.licenseId}' order by released`,
    )

  test('ends when the instance gives it back, or gets one of the vendor; the vendor is told of both', async () => {
    const license = await world.another({ seat_limit: 50 })
    await allot(license, 3)
    const away = await relay.again(NOWHERE)
    for (const name of ['giver', 'mover', 'stayer']) {
      expect((await activate(away.url, license, name)).body.lease, name).toEqual(expect.any(String))
    }
    const body = { license_key: license.licenseKey, instance_id: 'giver', product: license.product }
    const given = await away.call('POST', '/api/v1/licenses/deactivate', { body })
    expect(given.body.status).toBe('deactivated')
    relay = await away.again({ LEASEHOLD_UPSTREAM: app.url })
    // With the vendor there it is the vendor's seat.
    const moved = await activate(relay.url, license, 'mover')
    expect(moved.body).toMatchObject({ status: 'active', jwt: expect.any(String) })
    expect((await relay.local('POST', '/api/licenses/manual-sync')).status).toBe(200)
    expect(await leaseRows(license)).toEqual([{ released: false }, { released: true }, { released: true }])
  })

  test('of a copied relay too many accuses the relay at the vendor', async () => {
    const license = await world.another({ seat_limit: 50 })
    await allot(license, 2)
    const { relayId } = relay.relay
    await relay.stop()
    const copy = join(relay.folder, '..', 'copy', 'relay')
    await mkdir(join(copy, '..'), { recursive: true })
    await cp(relay.folder, copy, { recursive: true })
    const leaseTwo = (folder: string, prefix: string) =>
      cutOff(async ({ url }) => {
        expect(await leased(url, license, many(prefix, 4))).toHaveLength(2)
      }, folder)
    await leaseTwo(relay.folder, 'mine')
    await leaseTwo(copy, 'copied')
    const copied = await startTestRelay(app, { folder: copy })
    await copied.local('POST', '/api/licenses/manual-sync')
    await copied.stop()
    relay = await relay.again()
    await relay.local('POST', '/api/licenses/manual-sync')
    const { body } = await app.admin('GET', `/anomalies?relay=${relayId}&type=relay_cloned`)
    expect(body).toMatchObject([
      { evidence: { licenses: [{ license_id: license.licenseId, seats: 2, live_leases: 4 }] } },
    ])
  })
})

describe('a cache that was torn', () => {
  test('is made anew from the vendor, but leases no seat beside those that it forgot', async () => {
    relay = await relay.again({ LEASEHOLD_UPSTREAM: app.url })
    const license = await world.another({ seat_limit: 50 })
    await allot(license, 1)
    const away = await relay.again(NOWHERE)
    expect((await activate(away.url, license, 'before')).body.lease).toEqual(expect.any(String))
    await away.stop()
    const folder = join(relay.folder, '..', 'torn', 'relay')
    await cp(relay.folder, folder, { recursive: true })
    for (const tail of ['', '-wal', '-shm']) await rm(join(folder, `relay.sqlite${tail}`), { force: true })
    await writeFile(join(folder, 'relay.sqlite'), 'torn'.repeat(1000), { mode: 0o600 })
    const mended = await startTestRelay(app, { folder, upstream: app.url })
    await exchange(mended.url, license, 'kept')
    expect((await mended.local('POST', '/api/licenses/manual-sync')).status).toBe(200)
    const cut = await mended.again(NOWHERE)
    expect((await exchange(cut.url, license, 'kept')).body.jwt).toEqual(expect.any(String))
    expect((await activate(cut.url, license, 'after')).status).toBe(503)
    await cut.stop()
  })
})

describe('a disk that takes no commit', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  test('has nothing acknowledged: no report, and no seat', async () => {
    relay = await relay.again({ LEASEHOLD_UPSTREAM: app.url })
    const license = await world.another({ seat_limit: 50 })
    const { body } = await exchange(relay.url, world, 'reporter')
    await allot(license, 1)
    relay = await relay.again(NOWHERE)
    const exec = DatabaseSync.prototype.exec
    vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql: string) {
      if (sql === 'commit') throw new Error('no space left on this disk')
      exec.call(this, sql)
    })
    expect((await heartbeat(relay.url, body.jwt, { bootId: randomUUID(), seq: 1 })).status).toBe(503)
    expect((await activate(relay.url, license, 'unlucky')).status).toBe(503)
    vi.restoreAllMocks()
    expect((await relay.local('GET', '/api/licenses/sync-status')).body.queue.length).toBe(0)
    expect((await activate(relay.url, license, 'lucky')).body.lease).toEqual(expect.any(String))
  })
})

describe('a rejection that one instance heard', () => {
  test('rejects the license for every instance of the site, and new seats of it (T3)', async () => {
    relay = await relay.again({ LEASEHOLD_UPSTREAM: app.url })
    const license = await world.another({ seat_limit: 50 })
    await allot(license, 3)
    const first = await exchange(relay.url, license, 'heard')
    await exchange(relay.url, license, 'other')
    await app.admin('POST', `/licenses/${license.licenseId}/suspend`, { reason: 'unpaid' })
    const refused = await relay.call('POST', '/api/v1/licenses/refresh', {
      bearer: first.body.jwt,
      body: { instance_id: 'heard', version: '1', nonce: nonce() },
    })
    expect(refused.body).toMatchObject({ error: 'license_suspended', directive: expect.any(String) })
    const away = await relay.again(NOWHERE)
    for (const name of ['heard', 'other', 'new']) {
      expect(await exchange(away.url, license, name), name).toMatchObject({
        status: 503,
        body: { error: 'vendor_unreachable' },
      })
    }
    // A later word of the vendor lifts it for all of them.
    relay = await away.again({ LEASEHOLD_UPSTREAM: app.url })
    await app.admin('POST', `/licenses/${license.licenseId}/reinstate`, { reason: 'paid' })
    expect((await exchange(relay.url, license, 'heard')).status).toBe(200)
    relay = await relay.again(NOWHERE)
    expect((await exchange(relay.url, license, 'other')).body.jwt).toEqual(expect.any(String))
  })
})

describe('a license that the vendor would not renew the allotment of', () => {
  test('leases no new seat, after a restart neither, until the vendor allots again', async () => {
    relay = await relay.again({ LEASEHOLD_UPSTREAM: app.url })
    const license = await world.another({ seat_limit: 50 })
    await allot(license, 3)
    await app.admin('POST', `/licenses/${license.licenseId}/suspend`, { reason: 'unpaid' })
    // Another size is asked for at once, and refused; no instance has heard of it.
    await allot(license, 4)
    for (let restart = 0; restart < 2; restart++) {
      relay = await relay.again(NOWHERE)
      expect((await activate(relay.url, license, 'new')).status).toBe(503)
    }
    relay = await relay.again({ LEASEHOLD_UPSTREAM: app.url })
    await app.admin('POST', `/licenses/${license.licenseId}/reinstate`, { reason: 'paid' })
    expect((await relay.local('POST', '/api/licenses/manual-sync')).status).toBe(200)
    relay = await relay.again(NOWHERE)
    expect((await activate(relay.url, license, 'new')).body.lease).toEqual(expect.any(String))
  })
})

describe('a report without a number of its own', () => {
  const counted = () =>
    query(
      app.databaseUrl,
      `select increases from reports join instances using (instance_key)
       where instance_id = 'reporter' and seq is distinct from 0 and boot_id::text like '00000000-%' order by received_at`,
    )

  test('counts once when its answer was lost, with the vendor there, without it, and through the queue', async () => {
    relay = await relay.again({ LEASEHOLD_UPSTREAM: app.url })
    const { body } = await exchange(relay.url, world, 'reporter')
    for (let time = 0; time < 2; time++) {
      expect((await heartbeat(relay.url, body.jwt, null)).body.status).toBe('ok')
    }
    expect(await counted()).toEqual([{ increases: { queries_total: 1000 } }])
    const away = await relay.again(NOWHERE)
    for (let time = 0; time < 3; time++) {
      expect((await heartbeat(away.url, body.jwt, null)).body.status).toBe('ok')
    }
    expect((await away.local('GET', '/api/licenses/sync-status')).body.queue.length).toBe(1)
    relay = await away.again({ LEASEHOLD_UPSTREAM: app.url })
    expect((await relay.local('POST', '/api/licenses/manual-sync')).status).toBe(200)
    // After the restart it is another report, of counters that have not grown.
    expect(await counted()).toEqual([
      { increases: { queries_total: 1000 } },
      { increases: { queries_total: 0 } },
    ])
  })
})

describe('what strangers may send', () => {
  test('to the page is bounded', async () => {
    const send = (key: string) =>
      fetch(`${relay.url}/page/sign-in`, { method: 'POST', body: new URLSearchParams({ key }) })
    expect((await send('x'.repeat(5000))).status).toBe(413)
    expect((await send('wrong')).status).toBe(401)
  })

  test('leaves nothing in the cache: neither wrong credentials nor words about unknown instances', async () => {
    const rows = () => {
      const database = new DatabaseSync(join(relay.folder, 'relay.sqlite'), { readOnly: true })
      const count = (table: string) => database.prepare(`select count(*) as n from ${table}`).get()?.n
      const counts = ['refused', 'proofs', 'rejections', 'grants'].map(count)
      database.close()
      return counts
    }
    await relay.stop()
    const before = rows()
    relay = await relay.again({ LEASEHOLD_UPSTREAM: app.url })
    const call = caller(relay.url)
    for (const name of many('stranger', 20)) {
      const [body, asked] = [{ instance_id: name, product: world.product }, nonce()]
      const token = `lit_${name}${'x'.repeat(40)}`
      await call('POST', '/api/v1/licenses/validate', {
        bearer: token,
        body: { ...body, license_key: 'e30.e30', nonce: asked },
      })
      await call('POST', '/api/v1/instances/register', { body: { ...body, nonce: asked } })
      await call('POST', '/api/v1/licenses/token', { bearer: `sk-${name}`, body: { ...body, version: '1' } })
    }
    await relay.stop()
    expect(rows()).toEqual(before)
    relay = await relay.again({ LEASEHOLD_UPSTREAM: app.url })
  })
})
