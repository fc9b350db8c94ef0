// The embedded database in one process: what it is, what it refuses, what it heals.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { installedBinaries } from '../../src/db/embedded/binaries.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/db/embedded/start.ts'
import type { Logger } from '../../src/platform/logger.ts'
import { StartError } from '../../src/platform/start-error.ts'
import { query } from '../support/query.ts'
import { silentLog } from '../support/silent-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let folder: string
let dataDir: string
const running: EmbeddedPostgres[] = []

beforeEach(async () => {
  folder = await temporaryFolder('leasehold-embedded-')
  dataDir = join(folder, 'data')
})

afterEach(async () => {
  await Promise.all(running.splice(0).map((database) => database.stop()))
  await rm(folder, { recursive: true, force: true })
})

async function start(options: { log?: Logger; escalateMs?: number } = {}): Promise<EmbeddedPostgres> {
  const database = await startEmbeddedPostgres({ dataDir, log: silentLog, durable: false, ...options })
  running.push(database)
  return database
}

async function failure(work: Promise<unknown>): Promise<StartError> {
  const error = await work.then(
    () => new Error('it started'),
    (reason: Error) => reason,
  )
  expect(error).toBeInstanceOf(StartError)
  return error as StartError
}

describe('a new database', () => {
  let itsFolder: string
  let database: EmbeddedPostgres

  beforeAll(async () => {
    itsFolder = await temporaryFolder('leasehold-embedded-')
    database = await startEmbeddedPostgres({
      dataDir: join(itsFolder, 'data'),
      log: silentLog,
      durable: false,
    })
  })
  afterAll(async () => {
    await database.stop()
    await rm(itsFolder, { recursive: true, force: true })
  })

  test('is PostgreSQL 18 with UTF-8, code point order, UTC and checksums', async () => {
    const { url, version } = database
    expect(version).toMatch(/^18\./)
    const [settings] = await query(
      url,
      `
        select current_setting('server_version') as version, current_setting('server_encoding') as encoding,
          current_setting('timezone') as zone, current_setting('data_checksums') as checksums,
          current_setting('jit') as jit, 'Z' < 'a' and 'a' < 'é' as ordered, upper('é') as upper`,
    )
    expect(settings).toEqual({
      version,
      encoding: 'UTF8',
      zone: 'UTC',
      checksums: 'on',
      jit: 'off',
      ordered: true,
      upper: 'É',
    })
  })

  test('listens on the loopback address only, on the port it tells, and on no socket file', async () => {
    const { url, location } = database
    const [settings] = await query(
      url,
      `
        select current_setting('listen_addresses') as addresses, current_setting('unix_socket_directories') as sockets,
          current_setting('port')::int as port`,
    )
    expect(settings).toEqual({ addresses: '127.0.0.1', sockets: '', port: location.port })
  })

  test('the passwords that everybody guesses first open nothing', async () => {
    const { url } = database
    for (const user of ['leasehold', 'postgres']) {
      for (const guess of ['postgres', 'password', 'leasehold', 'admin']) {
        const guessed = new URL(url)
        guessed.username = user
        guessed.password = guess
        await expect(query(guessed.href, `select 1`)).rejects.toMatchObject({ code: '28P01' })
      }
    }
  })

  test('every way in asks for a SCRAM password of 32 random bytes', async () => {
    const { url } = database
    const rules = await query(url, `select distinct auth_method from pg_hba_file_rules`)
    expect(rules).toEqual([{ auth_method: 'scram-sha-256' }])
    expect(Buffer.from(new URL(url).password, 'base64url')).toHaveLength(32)
  })
})

describe('a started database', () => {
  test('keeps its data over a restart, under the same password', async () => {
    const first = await start()
    await query(first.url, `create table kept as select 42 as answer`)
    await first.stop()
    const second = await start()
    expect(await query(second.url, `select answer from kept`)).toEqual([{ answer: 42 }])
    expect(new URL(second.url).password).toBe(new URL(first.url).password)
  })

  test('stops as often as it is asked to', async () => {
    const { stop, location } = await start()
    await Promise.all([stop(), stop()])
    await stop()
    expect(() => process.kill(location.pid, 0)).toThrow('ESRCH')
    expect(await readdir(dataDir)).not.toContainEqual(expect.stringMatching(/\.lock$/))
  })

  test('stops although a connection hangs, within the time it is given', async () => {
    const { url, stop, location } = await start({ escalateMs: 200 })
    const sql = postgres(url, { max: 1 })
    const [row] = await sql`select pg_backend_pid() as pid`
    process.kill(row?.pid, 'SIGSTOP')
    await stop()
    expect(() => process.kill(location.pid, 0)).toThrow('ESRCH')
    await sql.end({ timeout: 0 })
  })

  test('tells when it ends by itself, and stop still resolves', async () => {
    const { died, stop, location } = await start()
    process.kill(location.pid, 'SIGKILL')
    expect(await died).toContain('SIGKILL')
    await stop()
    await query((await start()).url, `select 1`)
  })
})

describe('secrets', () => {
  test('the password is in its 0600 file and nowhere else; the environment stays with us', async () => {
    process.env.LEASEHOLD_MASTER_KEY = 'not-for-the-database'
    const { url, location } = await start()
    delete process.env.LEASEHOLD_MASTER_KEY
    const file = join(dataDir, 'postgres-password')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const { password } = new URL(url)
    expect(readFileSync(file, 'utf8').trim()).toBe(password)
    expect(await readdir(dataDir)).not.toContainEqual(expect.stringMatching(/verifier|new-/))
    if (process.platform === 'linux') {
      for (const about of ['cmdline', 'environ']) {
        const text = readFileSync(`/proc/${location.pid}/${about}`, 'latin1')
        expect(text).not.toContain(password)
        expect(text).not.toContain('not-for-the-database')
      }
    }
  })

  test('a lost password file costs no data: a new password is set', async () => {
    const first = await start()
    await query(first.url, `create table kept as select 42 as answer`)
    await first.stop()
    await rm(join(dataDir, 'postgres-password'))
    const second = await start()
    expect(await query(second.url, `select answer from kept`)).toEqual([{ answer: 42 }])
    expect(new URL(second.url).password).not.toBe(new URL(first.url).password)
  })

  test('a password file of another database is refused with the way out', async () => {
    await (await start()).stop()
    await writeFile(join(dataDir, 'postgres-password'), `${Buffer.alloc(32, 7).toString('base64url')}\n`)
    const { message, fix } = await failure(start())
    expect(message).toContain('is not that of the database')
    expect(fix).toContain('Remove')
  })

  test('what clients send never reaches the log, failed passwords do', async () => {
    const lines: string[] = []
    const record = (level: string) => (fields: object, message: string) => {
      lines.push(JSON.stringify({ level, ...fields, message }))
    }
    const log: Logger = {
      debug: record('debug'),
      info: record('info'),
      warn: record('warn'),
      error: record('error'),
      child: () => log,
    }
    const { url, stop } = await start({ log })
    await query(url, "create table secrets (secret text primary key); insert into secrets values ('sesame')")
    const again = query(url, "insert into secrets values ('sesame')")
    await expect(again).rejects.toMatchObject({ code: '23505' })
    await expect(query(url, "select 'sesame'::int")).rejects.toMatchObject({ code: '22P02' })
    await expect(query(url.replace(/:[\w-]+@/, ':wrong@'), `select 1`)).rejects.toThrow()
    await stop()
    expect(lines.filter((line) => line.includes('sesame'))).toEqual([])
    const failed = lines.find((line) => line.includes('password authentication failed')) ?? '{}'
    expect(JSON.parse(failed)).toMatchObject({
      level: 'warn',
      source: 'postgres',
      backend: 'client backend',
      sqlstate: '28P01',
    })
  })
})

describe('a data folder', () => {
  test('that an interrupted first start left half made is made anew', async () => {
    const half = join(dataDir, 'postgres.new-0a1b2c')
    await mkdir(join(half, 'base'), { recursive: true })
    await chmod(dataDir, 0o711)
    await writeFile(join(half, 'PG_VERSION'), '18\n')
    await query((await start()).url, `select 1`)
    expect(existsSync(half)).toBe(false)
  })

  test('with a folder that is no database is left alone', async () => {
    await (await start()).stop()
    await rm(join(dataDir, 'postgres', 'PG_VERSION'))
    const before = await readdir(join(dataDir, 'postgres'))
    expect((await failure(start())).message).toContain('no PostgreSQL database')
    expect(await readdir(join(dataDir, 'postgres'))).toEqual(before)
  })

  test('of another major version is left alone, and both versions are named', async () => {
    await (await start()).stop()
    await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '17\n')
    const { message, fix } = await failure(start())
    expect(message).toMatch(/PostgreSQL 17;.*PostgreSQL 18/)
    expect(fix).toContain('DATABASE_URL')
    expect(existsSync(join(dataDir, 'postgres', 'base'))).toBe(true)
  })

  test('that everybody may write to is closed', async () => {
    await mkdir(dataDir)
    await chmod(dataDir, 0o777)
    await start()
    expect((await stat(dataDir)).mode & 0o022).toBe(0)
  })

  test('whose postmaster.pid names a stranger starts, and the stranger lives', async () => {
    await (await start()).stop()
    const cluster = join(dataDir, 'postgres')
    const { uid, gid } = await stat(cluster)
    const stranger = spawn('sleep', ['60'], { uid, gid, cwd: '/', stdio: 'ignore' })
    await once(stranger, 'spawn')
    await writeFile(join(cluster, 'postmaster.pid'), `${stranger.pid}\n${cluster}\n1\n5432\n\n127.0.0.1\n`)
    await query((await start()).url, `select 1`)
    expect(stranger.exitCode ?? stranger.signalCode).toBe(null)
    stranger.kill()
  })

  test('that is a file is refused', async () => {
    await writeFile(dataDir, '')
    const { message, fix } = await failure(start())
    expect(message).toContain(`${dataDir} is not a folder`)
    expect(fix).toContain('LEASEHOLD_DATA_DIR')
  })
})

test.each([
  ['linux', 'riscv64'],
  ['freebsd', 'x64'],
  ['win32', 'x64'],
])('on %s-%s, where there are no programs, the way out is DATABASE_URL', async (platform, arch) => {
  const { fix } = await failure(installedBinaries(platform, arch))
  expect(fix).toContain('DATABASE_URL')
})
