// The embedded database among processes: killed servers, rivals for one data folder, a terminal's Ctrl-C.
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startPostmaster } from '../../src/db/embedded/postmaster.ts'
import { processesOfCluster } from '../../src/db/embedded/process-identity.ts'
import { query } from '../support/query.ts'
import { launchServer, type ServerProcess } from '../support/server-process.ts'
import { silentLog } from '../support/silent-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let folder: string
let dataDir: string
let servers: ServerProcess[]

beforeEach(async () => {
  folder = await temporaryFolder('leasehold-processes-')
  dataDir = join(folder, 'data')
  servers = []
})

afterEach(async () => {
  for (const server of servers) await server.destroy()
  await rm(folder, { recursive: true, force: true })
})

function launch(behaviour: 'serve' | 'drain' | 'abandon' = 'serve', durable = false): ServerProcess {
  const server = launchServer({ dataDir, behaviour, durable })
  servers.push(server)
  return server
}

const isRunning = (pid: number | undefined) =>
  processesOfCluster(join(dataDir, 'postgres')).includes(pid ?? 0)

describe('a killed server', () => {
  test('leaves a database that the next start stops, losing nothing', async () => {
    const first = launch()
    const { url, location } = await first.next()
    await query(url, 'create table kept as select 42 as answer')
    first.child.kill('SIGKILL')
    await first.exited
    expect(isRunning(location?.pid)).toBe(true)

    const second = await launch().next()
    expect(second.error).toBeUndefined()
    expect(isRunning(location?.pid)).toBe(false)
    expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }])
  })

  test('whose postmaster was killed with it is started again', async () => {
    const first = launch('serve', true)
    const { url, location } = await first.next()
    await query(url, 'create table kept as select 42 as answer')
    first.child.kill('SIGKILL')
    process.kill(location?.pid ?? 0, 'SIGKILL')
    await first.exited

    const second = await launch().next()
    expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }])
  })

  test('during the very first start leaves nothing that hinders the next', async () => {
    const first = launch()
    const half = async () => (await readdir(dataDir).catch(() => [])).find((name) => /new-\w+$/.test(name))
    while (!(await half())) await sleep(2)
    first.child.kill('SIGKILL')
    await first.exited
    expect(existsSync(join(dataDir, 'postgres'))).toBe(false)

    const second = await launch().next()
    expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(await half()).toBeUndefined()
  })
})

describe('one data folder', () => {
  test('serves one server; another is told the folder and the process that has it', async () => {
    const first = launch()
    const { url } = await first.next()
    const second = launch()
    const { error } = await second.next()
    expect(error).toMatchObject({ name: 'StartError', fix: expect.stringContaining('LEASEHOLD_DATA_DIR') })
    expect(error?.message).toContain(dataDir)
    expect(error?.message).toContain(`process ${first.pid}.`)
    expect(await second.exited).toEqual({ code: 1, signal: null })
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  test('goes to exactly one of many that start at the same moment', async () => {
    const said = await Promise.all(Array.from({ length: 6 }, () => launch().next()))
    const winners = servers.filter((_, i) => said[i]?.url)
    expect(winners).toHaveLength(1)
    for (const { error } of said.filter((one) => !one.url)) {
      expect(error?.message).toContain(`process ${winners[0]?.pid}.`)
    }
  })

  test('is free again once its server has stopped', async () => {
    const first = launch()
    await first.next()
    expect(await first.finish()).toEqual({ code: 0, signal: null })
    expect((await launch().next()).url).toBeDefined()
  })
})

describe('the process that started a database', () => {
  test('ends by itself after it stopped the database, without being told to exit', async () => {
    const server = launch()
    const { location } = await server.next()
    expect(await server.finish()).toEqual({ code: 0, signal: null })
    expect(isRunning(location?.pid)).toBe(false)
  })

  test('ends by itself even with the database still running', async () => {
    const server = launch('abandon')
    const { location } = await server.next()
    expect(await server.exited).toEqual({ code: 0, signal: null })
    expect(isRunning(location?.pid)).toBe(true)
  })

  test('still has its database after a Ctrl-C in the terminal, until it has drained', async () => {
    const server = launch('drain')
    const { location } = await server.next()
    // A terminal sends the signal to every process of the foreground group.
    process.kill(-server.pid, 'SIGINT')
    expect(await server.next()).toEqual({ drained: true })
    expect(await server.exited).toEqual({ code: 0, signal: null })
    expect(isRunning(location?.pid)).toBe(false)
  })
})

test('a folder inside a folder that is not there yet is made with its parents', async () => {
  dataDir = join(folder, 'a', 'b', 'data')
  expect((await launch().next()).location?.data).toBe(join(dataDir, 'postgres'))
})

test('a taken port ends the attempt with what PostgreSQL says about it', async () => {
  const server = launch()
  const { data = '', binaries = '' } = (await server.next()).location ?? {}
  await server.finish()
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  const owner = process.getuid?.() === 0 ? await stat(data) : undefined
  const account = owner && { uid: owner.uid, gid: owner.gid }
  const attempt = startPostmaster({
    // Where its account can run it: the packages may lie in a folder that only root enters.
    postgres: join(binaries, 'bin/postgres'),
    cluster: data,
    port,
    account,
    log: silentLog,
  })
  await expect(attempt).rejects.toThrow(/could not bind/)
  taken.close()
})
