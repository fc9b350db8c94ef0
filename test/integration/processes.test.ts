// A server of several processes on one address, as LEASEHOLD_PROCESSES makes it. Real processes.
import { createServer } from 'node:net'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { processesOfCluster } from '../../src/db/embedded/process-identity.ts'
import { caller } from '../support/app.ts'
import { credentialsIn, type LeaseholdProcess, until, workplace } from '../support/leasehold-process.ts'
import { expectAllOnce, reporter } from '../support/reporter.ts'
import { type SeveralServers, startServers } from '../support/several-servers.ts'
import { listen } from '../support/sync-client.ts'
import { createWorld } from '../support/world.ts'

vi.setConfig({ testTimeout: 60_000 })

const TWO = { LEASEHOLD_PROCESSES: '2' }
const place = workplace()
afterAll(() => place.clear())

interface Line {
  msg: string
  pid: number
  worker?: number
}

const lines = ({ stdout }: LeaseholdProcess): Line[] =>
  stdout()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

/** Every worker that has served so far, in the order in which they began. */
const workersOf = (server: LeaseholdProcess): number[] =>
  lines(server).flatMap(({ msg, worker }) => (msg === 'a worker serves' && worker ? worker : []))

/** A connection of its own for each request, so that they go to the workers in turn. */
const ask = (server: LeaseholdProcess, path: string) =>
  fetch(`${server.url}${path}`, { headers: { Connection: 'close' } })

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const allGone = (pids: readonly number[]) => until(() => !pids.some(isRunning))

describe('with a database of its own', () => {
  let cluster: SeveralServers
  let server: LeaseholdProcess
  beforeAll(async () => {
    cluster = await startServers(1, { ...TWO, LEASEHOLD_SHUTDOWN_GRACE: '1s' })
    server = cluster.servers[0] as LeaseholdProcess
  })
  afterAll(() => cluster?.stop())

  test('prepares and speaks once, and serves from two processes on one address', async () => {
    expect(server.stderr().match(/is ready after/g)).toHaveLength(1)
    expect(server.stderr()).toMatch(/^ {2}processes 2$/m)
    const created = lines(server).filter((line) => 'audit' in line && line.audit === 'product.create')
    expect(created.map(({ pid }) => pid)).toEqual([server.pid])
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(server, '/readyz')))
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
    await Promise.all(Array.from({ length: 8 }, () => ask(server, '/.well-known/jwks.json')))
    await until(() => {
      const served = lines(server).filter(
        (line) => 'route' in line && line.route === '/.well-known/jwks.json',
      )
      return served.length === 8 && new Set(served.map(({ pid }) => pid)).size === 2
    })
    expect(workersOf(server)).toHaveLength(2)
    expect(workersOf(server)).not.toContain(server.pid)
  })

  /** As any one of the workers counts them. */
  async function requestsCounted(): Promise<number> {
    const text = await (await ask(server, '/metrics')).text()
    const counts = [
      ...text.matchAll(/^leasehold_http_request_duration_seconds_count\{.*jwks\.json.*\} (\d+)$/gm),
    ]
    expect(text.match(/^leasehold_database_up 1$/gm)).toHaveLength(1)
    return counts.reduce((sum, [, count]) => sum + Number(count), 0)
  }

  test('counts the requests of all processes, whichever is asked', async () => {
    const before = await requestsCounted()
    for (let n = 0; n < 6; n += 1) await ask(server, '/.well-known/jwks.json')
    expect([await requestsCounted(), await requestsCounted()]).toEqual([before + 6, before + 6])
  })

  test('tells sockets of every process what changes', async () => {
    const world = await createWorld(cluster, { product: 'live', instanceAuth: 'token' })
    const { body } = await caller(server.url)('POST', '/api/v1/licenses/token', {
      bearer: world.apiKey,
      body: { instance_id: 'live', version: '1' },
    })
    const sockets = await Promise.all(
      Array.from({ length: 4 }, () => listen(server.url, { bearer: body.jwt })),
    )
    const { status } = await cluster.admin('POST', `/licenses/${world.licenseId}/suspend`, {})
    expect(status).toBe(200)
    for (const socket of sockets) expect(await socket.told(1)).toMatchObject([{ type: 'license.changed' }])
    const opened = lines(server).filter((line) => 'route' in line && line.route === '/api/v1/sync')
    expect(new Set(opened.map(({ pid }) => pid)).size).toBe(2)
    await Promise.all(sockets.map((socket) => socket.close()))
  })

  test('goes on when a process is killed, makes a new one, and loses no acknowledged report', async () => {
    let over = false
    const clients = Array.from({ length: 6 }, (_, n) => reporter(n))
    const stream = Promise.all(clients.map((client) => client.run(server.url, () => over)))
    const count = () => clients.reduce((sum, client) => sum + client.acknowledged.length, 0)
    const more = async () => {
      const before = count()
      await until(() => count() >= before + 40, 20_000)
    }
    const counted = await requestsCounted()
    for (let kill = 0; kill < 3; kill += 1) {
      await more()
      const workers = workersOf(server)
      process.kill(workers.filter(isRunning)[0] ?? 0, 'SIGKILL')
      await more()
      await until(() => workersOf(server).length === workers.length + 1, 20_000)
    }
    await more()
    over = true
    await stream
    for (const client of clients) await expectAllOnce(cluster.databaseUrl, client)
    expect(workersOf(server).filter(isRunning)).toHaveLength(2)
    expect(await requestsCounted()).toBeGreaterThanOrEqual(counted)
    expect(isRunning(server.pid)).toBe(true)
  })

  test('on SIGTERM all finish what is under way, and it exits with 0', async () => {
    const workers = workersOf(server).filter(isRunning)
    const blocker = postgres(cluster.databaseUrl, { max: 2, onnotice: () => {} })
    const release = Promise.withResolvers<void>()
    const held = Promise.withResolvers<void>()
    const blocked = blocker.begin(async (tx) => {
      await tx`lock table customers in access exclusive mode`
      held.resolve()
      await release.promise
    })
    await held.promise
    const call = caller(server.url)
    const slow = Array.from({ length: 4 }, () =>
      call('GET', '/api/v1/admin/customers', { bearer: cluster.adminKey, headers: { Connection: 'close' } }),
    )
    await until(async () => {
      const [row] = await blocker`select count(*)::int as waiting from pg_locks where not granted`
      return row?.waiting >= 4
    })
    server.child.kill('SIGTERM')
    await until(async () => {
      const looks = await Promise.all(Array.from({ length: 4 }, () => ask(server, '/readyz')))
      return looks.every(({ status }) => status === 503)
    })
    release.resolve()
    await blocked
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual(Array(4).fill(200))
    expect(await server.exited).toEqual({ code: 0, signal: null })
    await allGone(workers)
    await blocker.end()
  })
})

describe('with the embedded database', () => {
  afterEach(() => place.clear())

  test('stops it last, and cleanly', async () => {
    const dataDir = await place.dataDir()
    const server = await place.start({ dataDir, env: TWO })
    const workers = workersOf(server)
    const { api_key } = await credentialsIn(dataDir)
    const { status } = await caller(server.url)('POST', '/api/v1/licenses/token', {
      bearer: api_key,
      body: { instance_id: 'one', version: '1' },
    })
    expect(status).toBe(200)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    await allGone(workers)
    expect(processesOfCluster(join(dataDir, 'postgres'))).toEqual([])
    const again = await place.start({ dataDir, env: TWO })
    expect(again.stdout()).not.toMatch(/recovery|not properly shut down|interrupted/)
  })

  test('stops every process with 1 when the database is killed', async () => {
    const dataDir = await place.dataDir()
    const server = await place.start({ dataDir, env: TWO })
    const workers = workersOf(server)
    for (const pid of processesOfCluster(join(dataDir, 'postgres'))) {
      if (isRunning(pid)) process.kill(pid, 'SIGKILL')
    }
    expect(await server.exited).toEqual({ code: 1, signal: null })
    expect(server.stdout()).toContain('the embedded database ended: stopping')
    await allGone(workers)
  })

  test('leaves no process behind when the one that holds them together is killed', async () => {
    const server = await place.start({ dataDir: await place.dataDir(), env: TWO })
    const workers = workersOf(server)
    await server.stop('SIGKILL')
    await allGone(workers)
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow()
  })

  test('gives up, and says so, when its processes end again and again', async () => {
    const dataDir = await place.dataDir()
    const fault = "if (process.argv.includes('worker')) setTimeout(() => process.exit(9), 10)"
    const env = { ...TWO, NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(fault)}` }
    const server = await place.launch({ dataDir, env })
    expect(await server.exited).toEqual({ code: 1, signal: null })
    const deaths = lines(server).filter(({ msg }) => msg.startsWith('a worker ended'))
    expect(deaths.length).toBeLessThanOrEqual(12)
    expect(server.stderr()).toContain('ended 6 times in a row, each within seconds of its start')
    expect(server.stderr()).not.toContain('is ready')
    expect(processesOfCluster(join(dataDir, 'postgres'))).toEqual([])
  })

  test('says once that the port is taken, and ends with 1', async () => {
    const taken = createServer()
    const port = await new Promise<number>((done) => {
      taken.listen(0, '127.0.0.1', () => done((taken.address() as { port: number }).port))
    })
    const server = await place.launch({ dataDir: await place.dataDir(), port, env: TWO })
    expect(await server.exited).toEqual({ code: 1, signal: null })
    expect(server.stderr().match(/is taken: another process listens there/g)).toHaveLength(1)
    taken.close()
  })
})
