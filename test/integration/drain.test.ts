import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { processesOfCluster } from '../../src/db/embedded/process-identity.ts'
import { type Answer, caller } from '../support/app.ts'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'
import { credentialsIn, type LeaseholdProcess, until, workplace } from '../support/leasehold-process.ts'
import { outsideDatabase } from '../support/outside-database.ts'

const LATER_THAN_ONE_PRESS_MS = 300

// Real processes, each with a database to make: slow where the machine is busy.
vi.setConfig({ testTimeout: 60_000 })

const place = workplace()
afterAll(() => place.clear())

const heartbeat = (server: LeaseholdProcess) =>
  caller(server.url)('POST', '/api/v1/instances/heartbeat', {
    body: {
      instance_id: 'drained',
      product: 'keldris',
      reported_tier: 'free',
      has_valid_entitlement: false,
      metrics: {},
    },
  })

describe('a server that is told to stop while a request is under way', () => {
  let clone: ClonedDatabase
  let blocker: postgres.Sql
  let server: LeaseholdProcess
  let release: () => void
  let blocked: Promise<unknown>
  let dataDir: string

  /** A request that waits in the database until `release`. */
  async function slowRequest(send = heartbeat): Promise<{ answer: Promise<Answer | 'cut off'> }> {
    const held = Promise.withResolvers<void>()
    const { promise, resolve } = Promise.withResolvers<void>()
    release = resolve
    blocked = blocker.begin(async (tx) => {
      await tx`lock table instances in access exclusive mode`
      held.resolve()
      await promise
    })
    await held.promise
    const answer = send(server).catch(() => 'cut off' as const)
    await until(async () => {
      const [row] = await blocker`select count(*)::int as waiting from pg_locks where not granted`
      return row?.waiting > 0
    })
    return { answer }
  }

  beforeEach(async () => {
    clone = await cloneDatabase()
    blocker = postgres(clone.url, { max: 2, onnotice: () => {} })
    dataDir = await place.dataDir()
    server = await place.start({ dataDir, env: { ...outsideDatabase(clone.url), LEASEHOLD_DEMO: 'true' } })
  })

  afterEach(async () => {
    release()
    await blocked
    await blocker.end()
    await server.stop()
    await clone.drop()
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'on %s is not ready, takes nothing new, finishes it, and exits with 0',
    async (signal) => {
      const { answer } = await slowRequest()
      server.child.kill(signal)
      await until(async () => (await fetch(`${server.url}/readyz`)).status === 503)
      const refused = await heartbeat(server)
      expect(refused).toMatchObject({ status: 503, body: { error: 'shutting_down' } })
      expect(refused.headers.get('Retry-After')).toMatch(/^\d+$/)
      expect(refused.headers.get('Connection')).toBe('close')
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
      release()
      expect(await answer).toMatchObject({ status: 200, body: { status: 'ok' } })
      expect(await server.exited).toEqual({ code: 0, signal: null })
    },
  )

  test('waits ten seconds and not longer', async () => {
    // An instance is answered within five seconds; an admin's change waits for its rows longer than the server does.
    const { admin_key: bearer } = await credentialsIn(dataDir)
    const change = (of: LeaseholdProcess) =>
      caller(of.url)('POST', `/api/v1/admin/instances/ins_${'0'.repeat(32)}/action`, {
        bearer,
        body: { action: 'none' },
      })
    const { answer } = await slowRequest(change)
    const began = performance.now()
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(performance.now() - began).toBeGreaterThan(9_500)
    expect(performance.now() - began).toBeLessThan(13_000)
    expect(await answer).toBe('cut off')
  })
})

describe('a server with the embedded database', () => {
  test('stops it cleanly: the next start recovers nothing', async () => {
    const dataDir = await place.dataDir()
    const server = await place.start({ dataDir })
    expect(await heartbeat(server)).toMatchObject({ status: 200 })
    const began = performance.now()
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(performance.now() - began).toBeLessThan(5_000)
    expect(processesOfCluster(join(dataDir, 'postgres'))).toEqual([])
    const again = await place.start({ dataDir })
    expect(again.stdout()).not.toMatch(/recovery|not properly shut down|interrupted/)
    await again.stop()
  })

  test('started by npm, ends with it when npm is told to stop', async () => {
    const dataDir = await place.dataDir()
    const server = await place.start({ dataDir, command: ['npm', 'start'] })
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow()
    expect(processesOfCluster(join(dataDir, 'postgres'))).toEqual([])
  })

  test('takes one Ctrl-C that arrives twice for one', async () => {
    const server = await place.start({ dataDir: await place.dataDir() })
    server.child.kill('SIGINT')
    server.child.kill('SIGINT')
    expect(await server.exited).toEqual({ code: 0, signal: null })
  })

  test('ends at once on a second signal, and the database follows', async () => {
    const dataDir = await place.dataDir()
    const server = await place.start({ dataDir })
    const abort = await endlessRequest(server)
    server.child.kill('SIGTERM')
    await until(() => server.stdout().includes('"stopping"'))
    await sleep(LATER_THAN_ONE_PRESS_MS)
    const began = performance.now()
    server.child.kill('SIGTERM')
    expect(await server.exited).toEqual({ code: 1, signal: null })
    expect(performance.now() - began).toBeLessThan(1_000)
    abort()
    await until(() => processesOfCluster(join(dataDir, 'postgres')).length === 0, 10_000)
    const again = await place.start({ dataDir })
    expect((await fetch(`${again.url}/readyz`)).status).toBe(200)
    await again.stop()
  })

  test('ends with 1 when the database is killed, and says so', async () => {
    const dataDir = await place.dataDir()
    const server = await place.start({ dataDir })
    for (const pid of processesOfCluster(join(dataDir, 'postgres'))) kill(pid)
    expect(await server.exited).toEqual({ code: 1, signal: null })
    expect(server.stdout()).toContain('the embedded database ended: stopping')
    const again = await place.start({ dataDir })
    const { api_key } = await credentialsIn(dataDir)
    const answer = await caller(again.url)('POST', '/api/v1/licenses/token', {
      bearer: api_key,
      body: { instance_id: 'after', version: '1' },
    })
    expect(answer.status).toBe(200)
    await again.stop()
  })

  test('logs an error that nobody caught, stops the database, and ends with 1', async () => {
    const dataDir = await place.dataDir()
    const fault = "process.on('SIGUSR2', () => { throw new Error('nobody caught this') })"
    const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(fault)}` }
    const server = await place.start({ dataDir, env })
    expect(await server.stop('SIGUSR2')).toEqual({ code: 1, signal: null })
    expect(server.stdout()).toContain('nobody caught this')
    expect(processesOfCluster(join(dataDir, 'postgres'))).toEqual([])
  })
})

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** A request whose body never ends keeps the server from stopping by itself. Returns what cuts it off. */
async function endlessRequest({ port }: LeaseholdProcess): Promise<() => void> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const head = ['POST /api/v1/instances/heartbeat HTTP/1.1', 'Host: x', 'Content-Type: application/json']
  socket.write([...head, 'Content-Length: 9', 'Expect: 100-continue', '', '{'].join('\r\n'))
  // The server has seen the head once it asks for the body.
  await once(socket, 'data')
  socket.on('error', () => {})
  return () => socket.destroy()
}
