// What the live channel costs and how fast it is: 5,000 idle connections on one server process, and a change that
// reaches 1,000 connections on two. Prints figures; asserts only what is promised.
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { SyncServerMessage } from '../../src/contract/sync.ts'
import type { LeaseholdProcess } from '../support/leasehold-process.ts'
import { type SeveralServers, startServers } from '../support/several-servers.ts'
import { createWorld, type World } from '../support/world.ts'

const IDLE = 5_000
const LISTENING = 1_000
const CHANGES = 20
/** Instances whose tokens the sockets share: connecting is not what is measured. */
const INSTANCES = 50
const AT_ONCE = 50
const MOST_RSS = 300
const MOST_MS = 1_000

let servers: SeveralServers
let world: World
let tokens: string[]
const open: WebSocket[] = []
beforeAll(async () => {
  servers = await startServers(2)
  world = await createWorld(servers, {
    product: 'bench',
    instanceAuth: 'token',
    license: { seat_limit: null },
  })
  tokens = await Promise.all(
    Array.from({ length: INSTANCES }, async (_, n) => {
      const { body } = await first(servers.calls)('POST', '/api/v1/licenses/token', {
        bearer: world.apiKey,
        body: { instance_id: `b-${n}`, version: '1' },
      })
      return body.instance_token as string
    }),
  )
})
afterAll(async () => {
  for (const socket of open) socket.terminate()
  await servers.stop()
})

const print = (line: string) => process.stdout.write(`${line}\n`)

test(`${IDLE} idle connections on one process`, async () => {
  // Not the one that made the demo catalog and the instances.
  const server = first(servers.servers.slice(1))
  const before = await memoryOf(server)
  const start = performance.now()
  const idle = await connect(
    IDLE,
    () => server,
    () => {},
  )
  const seconds = (performance.now() - start) / 1000
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  const after = await memoryOf(server)
  print(
    `${IDLE} idle connections: ${after} MB resident, ${before} MB before; ${Math.round(IDLE / seconds)} connections a second`,
  )
  expect(idle.every(({ readyState }) => readyState === WebSocket.OPEN)).toBe(true)
  expect(after).toBeLessThan(MOST_RSS)
  await close(idle)
})

test(`a change reaches ${LISTENING} connections on two processes`, async () => {
  let told = 0
  let allTold = () => {}
  const listening = await connect(
    LISTENING,
    (n) => servers.servers[n % 2] ?? first(servers.servers),
    (message) => {
      if (message.type === 'license.changed' && ++told === LISTENING) allTold()
    },
  )
  const times: number[] = []
  for (let n = 0; n < CHANGES; n += 1) {
    told = 0
    const done = new Promise<void>((resolve) => {
      allTold = resolve
    })
    const start = performance.now()
    const verb = n % 2 === 0 ? 'suspend' : 'reinstate'
    const { status } = await servers.admin('POST', `/licenses/${world.licenseId}/${verb}`, {})
    expect(status).toBe(200)
    await done
    times.push(performance.now() - start)
  }
  times.sort((a, b) => a - b)
  const at = (share: number) => Math.round(times[Math.floor(share * (times.length - 1))] ?? 0)
  print(
    `${CHANGES} changes, each told to ${LISTENING} connections on 2 processes, from the admin's request on: ` +
      `median ${at(0.5)} ms, slowest ${at(1)} ms`,
  )
  expect(at(1)).toBeLessThan(MOST_MS)
  await close(listening)
})

/** Opens sockets, some at a time, each authenticated and welcomed. */
async function connect(
  count: number,
  where: (n: number) => LeaseholdProcess,
  hear: (message: SyncServerMessage) => void,
): Promise<WebSocket[]> {
  const sockets: WebSocket[] = []
  for (let from = 0; from < count; from += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, n) =>
      one(where(from + n), tokens[(from + n) % tokens.length] ?? '', hear),
    )
    sockets.push(...(await Promise.all(batch)))
  }
  return sockets
}

function one(
  { url }: LeaseholdProcess,
  token: string,
  hear: (message: SyncServerMessage) => void,
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/sync`, {
      headers: { Authorization: `Bearer ${token}` },
      perMessageDeflate: false,
    })
    open.push(socket)
    socket.on('open', () => socket.send('{"type":"hello"}'))
    socket.on('error', reject)
    socket.on('message', (data) => {
      const message = JSON.parse(data.toString()) as SyncServerMessage
      if (message.type === 'welcome') resolve(socket)
      if (message.type === 'ping') socket.send('{"type":"pong"}')
      hear(message)
    })
  })
}

async function close(sockets: readonly WebSocket[]): Promise<void> {
  const gone = sockets.map((socket) => new Promise((resolve) => socket.on('close', resolve)))
  for (const socket of sockets) socket.close()
  await Promise.all(gone)
}

/** Resident megabytes (10^6 bytes), as the kernel counts them. */
async function memoryOf({ pid }: LeaseholdProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Math.round((Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024) / 1e6)
}

function first<T>([item]: readonly T[]): T {
  if (item === undefined) throw new Error('there is none')
  return item
}
