// A real server with a small pool under five times the requests that it can hold.
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Answer, caller } from '../support/app.ts'
import { type SeveralServers, startServers } from '../support/several-servers.ts'
import { createWorld, type World } from '../support/world.ts'

/** What is at work at once of instances, and what waits of one class. */
const PLACES = 8
const WAITING = 64
const CLIENTS = 5 * (PLACES + WAITING)
const BEATS = 5
const MOST_MEMORY_KB = 700_000

let cluster: SeveralServers
let world: World
beforeAll(async () => {
  cluster = await startServers(1, {
    LEASEHOLD_POOL_SIZE: '2',
    LEASEHOLD_PLACES: `${PLACES}`,
    LOG_LEVEL: 'error',
  })
  world = await createWorld(cluster, {
    product: 'loaded',
    instanceAuth: 'token',
    license: { seat_limit: null },
  })
})
afterAll(() => cluster?.stop())

const memoryKb = async (pid: number): Promise<number> =>
  Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])

test('at five times its capacity the server answers heartbeats and its admin, sends the rest away with a time, and stays small', async () => {
  const [server] = cluster.servers
  const call = caller(server?.url ?? '')
  const beat = (instance_id: string, bearer: string) =>
    call('POST', '/api/v1/instances/heartbeat', {
      bearer,
      body: {
        instance_id,
        product: 'loaded',
        reported_tier: 'pro',
        has_valid_entitlement: true,
        metrics: {},
      },
    })
  const exchange = (instance_id: string) =>
    call('POST', '/api/v1/licenses/token', { bearer: world.apiKey, body: { instance_id, version: '1' } })
  const instances: { id: string; token: string }[] = []
  for (let i = 0; i < 4; i += 1) {
    const { body } = await exchange(`alive-${i}`)
    expect((await beat(`alive-${i}`, body.instance_token)).status).toBe(200)
    instances.push({ id: `alive-${i}`, token: body.instance_token })
  }

  let over = false
  let memory = 0
  const flood: Answer[] = []
  const life: Answer[] = []
  const admin: Answer[] = []
  const many = async (into: Answer[], count: number, next: () => Promise<Answer>) => {
    for (let i = 0; i < count; i += 1) into.push(await next())
  }
  const floods = Array.from({ length: CLIENTS }, async (_, i) => {
    while (!over) flood.push(await exchange(`flood-${i % 50}`))
  })
  const watch = (async () => {
    while (!over) {
      memory = Math.max(memory, await memoryKb(server?.pid ?? 0))
      await sleep(200)
    }
  })()
  // Every client has had at least one answer, so the flood is at its height.
  await vi.waitFor(() => expect(flood.length).toBeGreaterThan(CLIENTS), { timeout: 30_000, interval: 20 })
  await Promise.all([
    ...instances.map(({ id, token }) => many(life, BEATS, () => beat(id, token))),
    many(admin, BEATS, () => cluster.admin('GET', '/products')),
  ])
  over = true
  await Promise.all([...floods, watch])

  const of = (answers: Answer[], status: number) => answers.filter((answer) => answer.status === status)
  const done = of(flood, 200)
  const refused = flood.filter(({ status }) => status === 503 || status === 429)
  expect(done.length + refused.length).toBe(flood.length)
  expect(done.length).toBeGreaterThan(PLACES)
  expect(refused.length).toBeGreaterThan(CLIENTS)
  const told = refused.map(({ body, headers }) => `${body.error} ${headers.get('Retry-After')}`)
  expect(told.filter((what) => !/^(overloaded|rate_limited) 5$/.test(what))).toEqual([])
  expect(life.map(({ status }) => status)).toEqual(Array(instances.length * BEATS).fill(200))
  expect(admin.map(({ status }) => status)).toEqual(Array(BEATS).fill(200))
  expect(memory).toBeLessThan(MOST_MEMORY_KB)
  expect((await exchange('afterwards')).status).toBe(200)
}, 60_000)
