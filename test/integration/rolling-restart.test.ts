// Upgrading without an outage: two processes behind a balancer, restarted one after the other under load, while the
// schema grows.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/db/migrate.ts'
import { caller } from '../support/app.ts'
import { type Balancer, startBalancer } from '../support/balancer.ts'
import { type LeaseholdProcess, until } from '../support/leasehold-process.ts'
import { migrationsWith } from '../support/migrations.ts'
import { type SeveralServers, startServers } from '../support/several-servers.ts'
import { createWorld, type World } from '../support/world.ts'

const CLIENTS = 6
/** Between two requests of one client: the load is not the test, and the machine has other work. */
const PAUSE_MS = 10
/** Long enough that a server which refuses at once is caught at it. */
const LOOK_MS = 400

let cluster: SeveralServers
let world: World
let balancer: Balancer
beforeAll(async () => {
  cluster = await startServers(2, { LEASEHOLD_SHUTDOWN_GRACE: '2s', LOG_LEVEL: 'error' })
  world = await createWorld(cluster, {
    product: 'rolled',
    instanceAuth: 'token',
    license: { expires_at: null, seat_limit: null },
  })
  balancer = await startBalancer(
    cluster.servers.map(({ port }) => port),
    LOOK_MS,
  )
})
afterAll(async () => {
  balancer?.stop()
  await cluster?.stop()
})

/** One instance that asks all the time until `over`; returns how often it was answered. */
async function live(name: number, over: () => boolean, failures: string[]): Promise<number> {
  const call = caller(balancer.url)
  const instance_id = `rolled-${name}`
  let answered = 0
  for (let jwt = ''; !over(); answered += 1) {
    const [path, bearer] = jwt === '' ? ['token', world.apiKey] : ['refresh', jwt]
    const answer = await call('POST', `/api/v1/licenses/${path}`, {
      bearer,
      body: { instance_id, version: '1' },
    }).catch((error: Error) => ({ status: 0, text: String(error.cause ?? error), body: {} }))
    if (answer.status !== 200) failures.push(`${answer.status} ${answer.text}`)
    jwt = answer.body.jwt ?? ''
    await sleep(PAUSE_MS)
  }
  return answered
}

/** The next version, which expands the two busiest tables, in the order in which no request takes them. */
async function migrateAhead(): Promise<void> {
  const folder = await migrationsWith(
    'alter table licenses add column expanded text; alter table instances add column expanded text;',
  )
  await migrate(cluster.databaseUrl, folder)
}

async function restart(server: LeaseholdProcess): Promise<void> {
  const { port } = server
  const before = balancer.sent.get(port) ?? 0
  expect(await server.stop()).toEqual({ code: 0, signal: null })
  await cluster.add(port)
  await until(() => (balancer.sent.get(port) ?? 0) > before + 20)
}

test('a rolling restart under load, with the next migration in between, fails no request', async () => {
  const failures: string[] = []
  let over = false
  const load = Promise.all(Array.from({ length: CLIENTS }, (_, n) => live(n, () => over, failures)))
  await sleep(200)
  const [first, second] = cluster.servers as [LeaseholdProcess, LeaseholdProcess]
  await restart(first)
  await migrateAhead()
  await restart(second)
  over = true
  const answered = (await load).reduce((sum, count) => sum + count, 0)
  expect(failures).toEqual([])
  expect(answered).toBeGreaterThan(200)
}, 60_000)
