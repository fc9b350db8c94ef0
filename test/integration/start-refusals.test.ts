import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { processesOfCluster } from '../../src/db/embedded/process-identity.ts'
import { cloneDatabase } from '../support/database.ts'
import { freePort, workplace } from '../support/leasehold-process.ts'
import { outsideDatabase } from '../support/outside-database.ts'

// Real processes, each with a database to make: slow where the machine is busy.
vi.setConfig({ testTimeout: 60_000 })

const place = workplace()
afterAll(() => place.clear())

/** What a start that is refused says; it must end with code 1 and show nothing of the inside. */
async function refusal(options: { dataDir?: string; port?: number; env?: Record<string, string> }) {
  const dataDir = options.dataDir ?? (await place.dataDir())
  const server = await place.launch({ ...options, dataDir })
  expect(await server.exited).toEqual({ code: 1, signal: null })
  expect(server.stderr()).not.toMatch(/^\s+at /m)
  return { said: server.stderr(), dataDir }
}

test('every wrong setting is named at once', async () => {
  const { said } = await refusal({
    env: {
      HOST: 'not a host',
      LOG_LEVEL: 'loud',
      LEASEHOLD_TOKEN_LIFE: '24',
      LEASEHOLD_TOKEN_LIVE: '24h',
      DATABASE_URL: 'mysql://root:hunter2@db.example/x',
    },
  })
  for (const name of ['HOST', 'LOG_LEVEL', 'LEASEHOLD_TOKEN_LIFE', 'LEASEHOLD_TOKEN_LIVE', 'DATABASE_URL']) {
    expect(said).toContain(`  ${name}: `)
  }
  expect(said).toContain('did you mean LEASEHOLD_TOKEN_LIFE?')
  expect(said).toContain('7 settings are wrong')
  expect(said).not.toContain('hunter2')
})

test('a taken port is named with the setting, and the embedded database stopped', async () => {
  const holder = await place.start({ dataDir: await place.dataDir() })
  const { said, dataDir } = await refusal({ port: holder.port })
  expect(said).toContain(`Port ${holder.port} on 127.0.0.1 is taken`)
  expect(said).toContain('PORT')
  expect(processesOfCluster(join(dataDir, 'postgres'))).toEqual([])
})

test('an address that this machine has not is named', async () => {
  const { said } = await refusal({ env: { HOST: '192.0.2.1' } })
  expect(said).toContain('no address 192.0.2.1')
  expect(said).toContain('HOST')
})

test('a second server on the same folder leaves the first alone', async () => {
  const dataDir = await place.dataDir()
  const first = await place.start({ dataDir })
  const { said } = await refusal({ dataDir })
  expect(said).toContain(`already uses the data folder ${dataDir}: process ${first.pid}`)
  expect((await fetch(`${first.url}/readyz`)).status).toBe(200)
})

describe('a key that was lost or mistaken', () => {
  test.each([
    ['master-key', 'LEASEHOLD_MASTER_KEY'],
    ['root-key.pem', 'LEASEHOLD_ROOT_KEY'],
  ])('%s gone: the message names the file and %s, and no new one is made', async (file, setting) => {
    const dataDir = await place.dataDir()
    await (await place.start({ dataDir })).stop()
    await rm(join(dataDir, file))
    for (const attempt of [1, 2]) {
      const { said } = await refusal({ dataDir })
      expect(said, `attempt ${attempt}`).toContain(join(dataDir, file))
      expect(said).toContain(setting)
    }
  })

  test('a master key file that holds no key is not replaced', async () => {
    const dataDir = await place.dataDir()
    await (await place.start({ dataDir })).stop()
    await writeFile(join(dataDir, 'master-key'), 'hunter2')
    const { said } = await refusal({ dataDir })
    expect(said).toContain(join(dataDir, 'master-key'))
    expect(said).not.toContain('hunter2')
  })

  test('another master key than the database was made with', async () => {
    const clone = await cloneDatabase()
    const env = outsideDatabase(clone.url)
    await (await place.start({ dataDir: await place.dataDir(), env })).stop()
    const other = { ...env, LEASEHOLD_MASTER_KEY: randomBytes(32).toString('base64') }
    const { said } = await refusal({ env: other })
    expect(said).toContain('does not open with this master key')
    expect(said).toContain('LEASEHOLD_MASTER_KEY')
    await clone.drop()
  })
})

describe('a database that cannot be used', () => {
  test.each([
    ['the wrong password', { password: 'wrong' }, 'refuses the password'],
    ['a database that is not there', { pathname: '/absent' }, 'has no such database'],
  ])('%s is named without the password', async (_what, spoilt, expected) => {
    const clone = await cloneDatabase()
    const url = new URL(clone.url)
    const { password } = url
    Object.assign(url, spoilt)
    const { said } = await refusal({ env: outsideDatabase(url.href) })
    expect(said).toContain(expected)
    expect(said).toContain('DATABASE_URL')
    expect(said).not.toContain(password)
    await clone.drop()
  })

  test('nobody who answers', async () => {
    const env = outsideDatabase(`postgres://leasehold:hunter2@127.0.0.1:${await freePort()}/leasehold`)
    const { said } = await refusal({ env })
    expect(said).toContain('does not answer (ECONNREFUSED)')
    expect(said).not.toContain('hunter2')
  })
})
