// Backup and restore of the embedded database, by the commands, with real servers; and what a lost key means.
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Call, caller } from '../support/app.ts'
import { inProcess, type Outcome } from '../support/leasehold-cli.ts'
import {
  credentialsIn,
  type LeaseholdProcess,
  type StoredCredentials,
  workplace,
} from '../support/leasehold-process.ts'
import { outsideDatabase } from '../support/outside-database.ts'
import { claimsOf } from '../support/verify.ts'

const place = workplace()
afterAll(() => place.clear())

const leasehold = (dataDir: string, ...args: string[]): Promise<Outcome> =>
  inProcess(args, '', { LEASEHOLD_DATA_DIR: dataDir })

const exchange = (call: Call, credentials: StoredCredentials, instance_id: string) =>
  call('POST', '/api/v1/licenses/token', { bearer: credentials.api_key, body: { instance_id, version: '1' } })

const instancesOf = async (call: Call, { admin_key }: StoredCredentials): Promise<string[]> => {
  const { body } = await call('GET', '/api/v1/admin/instances?limit=200', { bearer: admin_key })
  return body.map((row: { instance_id: string }) => row.instance_id)
}

describe('the embedded database', () => {
  let dataDir: string
  let server: LeaseholdProcess
  let credentials: StoredCredentials
  const backup = () => join(dataDir, '../backup')
  beforeAll(async () => {
    dataDir = await place.dataDir()
    server = await place.start({ dataDir })
    credentials = await credentialsIn(dataDir)
  }, 120_000)

  test('backed up while it serves, restored elsewhere, has everything that was answered before', async () => {
    const call = caller(server.url)
    const before = (await exchange(call, credentials, 'before')).body
    const going = { on: true, made: 0 }
    const load = (async () => {
      for (; going.on; going.made += 1) await exchange(call, credentials, `during-${going.made}`)
    })()
    const made = await leasehold(dataDir, 'backup', backup())
    going.on = false
    await load
    expect(made).toMatchObject({ code: 0, out: `${backup()}\n` })
    expect(made.err).toContain('while its server runs, with master-key, root-key.pem, credentials.json')
    expect(going.made).toBeGreaterThan(0)
    expect((await stat(backup())).mode & 0o777).toBe(0o700)
    expect((await stat(join(backup(), 'master-key'))).mode & 0o777).toBe(0o600)
    await server.stop()

    const restored = await place.dataDir()
    expect(await leasehold(restored, 'restore', backup())).toMatchObject({ code: 0 })
    const again = await place.start({ dataDir: restored })
    const recall = caller(again.url)
    expect(await credentialsIn(restored)).toMatchObject({ ...credentials })
    expect(await instancesOf(recall, credentials)).toContain('before')
    const refreshed = await recall('POST', '/api/v1/licenses/refresh', {
      bearer: before.jwt,
      body: { instance_id: 'before', version: '1', refresh_token: before.refresh_token },
    })
    expect(refreshed.status).toBe(200)
    expect(claimsOf(refreshed.body.jwt).iss).toBe(credentials.issuer)
    await again.stop()
  }, 120_000)

  test('backed up while no server runs, says so', async () => {
    const to = join(dataDir, '../cold')
    expect((await leasehold(dataDir, 'backup', to)).err).toContain('while no server runs')
    expect(await readdir(join(to, 'postgres'))).toContain('PG_VERSION')
    expect(await readFile(join(to, 'master-key'), 'utf8')).toBe(
      await readFile(join(dataDir, 'master-key'), 'utf8'),
    )
    expect((await readdir(dataDir)).filter((name) => name.endsWith('.lock'))).toEqual([])
  })

  test('overwrites nothing', async () => {
    const twice = await leasehold(dataDir, 'backup', backup())
    expect(twice).toMatchObject({ code: 1, err: expect.stringContaining('is there already') })
    const over = await leasehold(dataDir, 'restore', backup())
    expect(over).toMatchObject({ code: 1, err: expect.stringContaining('is not empty') })
    const nothing = await leasehold(await place.dataDir(), 'restore', join(dataDir, '..'))
    expect(nothing).toMatchObject({ code: 1, err: expect.stringContaining('is no backup') })
    const none = join(dataDir, '../none')
    await mkdir(none)
    expect(await leasehold(none, 'backup', join(dataDir, '../x'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('no embedded database'),
    })
  })

  test('with a lost root key goes on under a new one, for products that pin it', async () => {
    await rm(join(dataDir, 'root-key.pem'))
    const { LEASEHOLD_ROOT_KEY } = outsideDatabase('')
    const next = await place.start({ dataDir, env: { LEASEHOLD_ROOT_KEY } })
    expect(next.stdout()).toContain('THE ROOT KEY IS ANOTHER ONE')
    expect((await exchange(caller(next.url), credentials, 'before')).status).toBe(200)
    const told = await credentialsIn(dataDir)
    expect(told.root_public_key).not.toBe(credentials.root_public_key)
    await next.stop()
  }, 120_000)
})

test('your own PostgreSQL is backed up with its own programs, and the commands say how', async () => {
  const env = outsideDatabase('postgres://leasehold:hunter2@127.0.0.1:1/leasehold')
  for (const [name, program] of [
    ['backup', 'pg_dump'],
    ['restore', 'pg_restore'],
  ] as const) {
    const said = await inProcess([name, '/tmp/x'], '', env)
    expect(said).toMatchObject({ code: 1, err: expect.stringContaining(program) })
    expect(said.err).not.toContain('hunter2')
  }
})
