import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Postmaster, startPostmaster } from '../../src/db/embedded/postmaster.ts'
import { processesOfCluster } from '../../src/db/embedded/process-identity.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/db/embedded/start.ts'
import { caller } from '../support/app.ts'
import { credentialsIn, type LeaseholdProcess, until, workplace } from '../support/leasehold-process.ts'
import { outsideDatabase } from '../support/outside-database.ts'
import { silentLog } from '../support/silent-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// Real processes, each with a database to make: slow where the machine is busy.
vi.setConfig({ testTimeout: 60_000 })

const place = workplace()
let folder: string
let database: EmbeddedPostgres
let restarted: Postmaster | undefined
let server: LeaseholdProcess
let apiKey: string

beforeAll(async () => {
  folder = await temporaryFolder('leasehold-test-away-')
  database = await startEmbeddedPostgres({ dataDir: join(folder, 'data'), log: silentLog, durable: false })
  const dataDir = await place.dataDir()
  server = await place.start({ dataDir, env: { ...outsideDatabase(database.url), LEASEHOLD_DEMO: 'true' } })
  apiKey = (await credentialsIn(dataDir)).api_key
})

afterAll(async () => {
  signalDatabase('SIGCONT')
  await place.clear()
  await restarted?.stop()
  await database.stop()
  await rm(folder, { recursive: true, force: true })
})

/** To each of its processes: a stopped postmaster alone leaves connections that go on answering. */
function signalDatabase(signal: NodeJS.Signals): void {
  for (const pid of processesOfCluster(database.location.data)) process.kill(pid, signal)
}

const exchange = () =>
  caller(server.url)('POST', '/api/v1/licenses/token', {
    bearer: apiKey,
    body: { instance_id: 'away', version: '1.0.0' },
  })

const heartbeat = () =>
  caller(server.url)('POST', '/api/v1/instances/heartbeat', {
    body: {
      instance_id: 'away',
      product: 'keldris',
      reported_tier: 'pro',
      has_valid_entitlement: true,
      metrics: {},
    },
  })

async function expectUnavailable(): Promise<void> {
  for (const request of [exchange, heartbeat, () => caller(server.url)('GET', '/.well-known/jwks.json')]) {
    const began = performance.now()
    const answer = await request()
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(answer).toMatchObject({ status: 503, body: { error: 'database_unavailable' } })
    expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThan(0)
    expect(answer.text).not.toMatch(/select|insert|ECONN|127\.0\.0\.1/i)
  }
  const ready = await caller(server.url)('GET', '/readyz')
  expect(ready).toMatchObject({
    status: 503,
    body: { status: 'not_ready', checks: { database: { ok: false } } },
  })
  expect((await caller(server.url)('GET', '/healthz')).status).toBe(200)
  const metrics = await caller(server.url)('GET', '/metrics')
  expect(metrics.text).toMatch(/^leasehold_database_up 0$/m)
}

async function expectServiceWithin5s(): Promise<void> {
  const back = performance.now()
  await until(async () => (await exchange()).status === 200, 5_000)
  await until(async () => (await heartbeat()).status === 200, 5_000 - (performance.now() - back))
  await until(
    async () => (await fetch(`${server.url}/readyz`)).status === 200,
    5_000 - (performance.now() - back),
  )
  expect(server.child.exitCode).toBeNull()
}

describe('while the database is away, every request says so within a second, and its return is enough', () => {
  test('before: it serves', async () => {
    expect((await exchange()).status).toBe(200)
    expect((await heartbeat()).status).toBe(200)
  })

  test('frozen: its processes are stopped where they stand', async () => {
    signalDatabase('SIGSTOP')
    await expectUnavailable()
    signalDatabase('SIGCONT')
    await expectServiceWithin5s()
  })

  test('frozen while many requests are under way', async () => {
    signalDatabase('SIGSTOP')
    const answers = await Promise.all(Array.from({ length: 40 }, () => heartbeat()))
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([503]))
    signalDatabase('SIGCONT')
    await expectServiceWithin5s()
  })

  test('shut down and started again on the same port', async () => {
    const { data, binaries, port } = database.location
    const { uid, gid } = await stat(data)
    await database.stop()
    await expectUnavailable()
    restarted = await startPostmaster({
      postgres: join(binaries, 'bin/postgres'),
      cluster: data,
      port,
      account: uid === process.getuid?.() ? undefined : { uid, gid },
      log: silentLog,
      durable: false,
    })
    await expectServiceWithin5s()
  })
})
