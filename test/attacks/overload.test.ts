// A real server with a small pool under many times the requests it can answer.
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, caller } from '../support/app.ts'
import { type SeveralServers, startServers } from '../support/several-servers.ts'
import { createWorld, type World } from '../support/world.ts'

const SECONDS = 3
/** Requests under way at once, of a server that has 8 places and room for 64 to wait. */
const CLIENTS = 250
const MOST_MEMORY_KB = 700_000

let cluster: SeveralServers
let world: World
beforeAll(async () => {
  cluster = await startServers(1, { LEASEHOLD_POOL_SIZE: '2', LOG_LEVEL: 'error' })
  world = await createWorld(cluster, {
    product: 'loaded',
    instanceAuth: 'token',
    license: { seat_limit: null },
  })
})
afterAll(() => cluster?.stop())

const memoryKb = async (pid: number): Promise<number> =>
  Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])

test('the server answers heartbeats and its admin, sends the rest away with a time, and stays small', async () => {
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
  const flood: Answer[] = []
  const life: Answer[] = []
  const admin: Answer[] = []
  const until = async (into: Answer[], next: () => Promise<Answer>, pause = 0) => {
    while (!over) {
      into.push(await next())
      if (pause > 0) await sleep(pause)
    }
  }
  const clients = [
    ...Array.from({ length: CLIENTS }, (_, i) => until(flood, () => exchange(`flood-${i % 50}`))),
    ...instances.map(({ id, token }) => until(life, () => beat(id, token), 50)),
    until(admin, () => cluster.admin('GET', '/products'), 50),
  ]
  let memory = 0
  for (let second = 0; second < SECONDS; second += 1) {
    await sleep(1000)
    memory = Math.max(memory, await memoryKb(server?.pid ?? 0))
  }
  over = true
  await Promise.all(clients)

  const of = (answers: Answer[], status: number) => answers.filter((answer) => answer.status === status)
  const refused = of(flood, 503)
  expect(of(flood, 200).length).toBeGreaterThan(20)
  // More were sent away than five times what was done: it was that much too much.
  expect(refused.length).toBeGreaterThan(of(flood, 200).length)
  expect(of(flood, 200).length + refused.length).toBe(flood.length)
  for (const { headers, body } of refused) {
    expect([body.error, headers.get('Retry-After')]).toEqual(['overloaded', '5'])
  }
  expect(life.length).toBeGreaterThan(8)
  expect(life.filter(({ status }) => status !== 200)).toEqual([])
  expect(admin.filter(({ status }) => status !== 200)).toEqual([])
  expect(memory).toBeLessThan(MOST_MEMORY_KB)
  expect((await exchange('afterwards')).status).toBe(200)
}, 60_000)
