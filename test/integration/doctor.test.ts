// `leasehold doctor` beside a running server, without one, and on databases that lack something each.
import { randomBytes } from 'node:crypto'
import { chmod, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { examineClock } from '../../src/cli/doctor/database.ts'
import type { Finding } from '../../src/cli/doctor/finding.ts'
import { runningCluster } from '../../src/db/embedded/running.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { inProcess } from '../support/leasehold-cli.ts'
import { freePort, type LeaseholdProcess, until, workplace } from '../support/leasehold-process.ts'
import { outsideDatabase } from '../support/outside-database.ts'
import { query } from '../support/query.ts'
import { virtualClock } from '../support/virtual-clock.ts'

interface Said {
  code: number
  err: string
  findings: Finding[]
  /** The finding that is not well of this check, if there is one; else the first. */
  of(check: string): Finding | undefined
}

async function doctor(env: Record<string, string>): Promise<Said> {
  const { code, out, err } = await inProcess(['doctor', '--json'], '', env)
  expect(out).not.toMatch(/\n\s+at /)
  const { findings } = JSON.parse(out) as { findings: Finding[] }
  const of = (check: string) => {
    const all = findings.filter((finding) => finding.check === check)
    return all.find(({ health }) => health !== 'ok') ?? all[0]
  }
  return { code, err, findings, of }
}

const place = workplace()
afterAll(() => place.clear())

describe('beside a server with the embedded database', () => {
  let dataDir: string
  let server: LeaseholdProcess
  let url: string
  const look = () => doctor({ LEASEHOLD_DATA_DIR: dataDir })
  beforeAll(async () => {
    dataDir = await place.dataDir()
    server = await place.start({ dataDir })
    url = (await runningCluster(dataDir)) ?? ''
    await until(async () => {
      const [row] = await query(
        url,
        "select count(*)::int as ended from job_leases where last_finished_at > now() - interval '1 hour'",
      )
      return Number(row?.ended) >= 7
    }, 60_000)
  }, 120_000)

  test('finds nothing wrong', async () => {
    const { findings, of } = await look()
    // How much room there is, is not ours to say.
    expect(findings.filter(({ health, check }) => health !== 'ok' && check !== 'disk')).toEqual([])
    expect(of('locks')?.detail).toContain(String(server.pid))
    expect(of('database')?.detail).toMatch(/^PostgreSQL 18/)
    expect(of('master key')?.detail).toMatch(/^Opens all \d+ secrets/)
    expect(of('partitions')?.detail).toMatch(/^4 days/)
  })

  test.each([
    [
      'a failing job',
      'jobs',
      'problem',
      "update job_leases set last_error = 'database error 42P01' where name = 'retention'",
      "update job_leases set last_error = null where name = 'retention'",
    ],
    [
      'a day without a partition ahead',
      'partitions',
      'warning',
      `do $$ begin execute format('alter table reports detach partition reports_%s',
         to_char(now() at time zone 'UTC' + interval '2 days', 'YYYYMMDD')); end $$`,
      `do $$ declare d date := (now() at time zone 'UTC' + interval '2 days')::date; begin
         execute format('alter table reports attach partition reports_%s for values from (%L) to (%L)',
           to_char(d, 'YYYYMMDD'), d, d + 1); end $$`,
    ],
    [
      'audit entries that outlived their retention',
      'retention',
      'warning',
      `update audit_log set at = at - interval '5 years' where id = (select min(id::text)::uuid from audit_log)`,
      `update audit_log set at = at + interval '5 years' where id = (select min(id::text)::uuid from audit_log)`,
    ],
    [
      'a key set that has expired',
      'key set',
      'problem',
      "update key_sets set expires_at = expires_at - interval '500 days'",
      "update key_sets set expires_at = expires_at + interval '500 days'",
    ],
    [
      'no owner',
      'owner',
      'problem',
      'update admin_keys set revoked_at = now()',
      'update admin_keys set revoked_at = null',
    ],
    [
      'two sealed rows that were swapped',
      'master key',
      'problem',
      `update signing_keys k set sealed_private_key = o.sealed_private_key from signing_keys o
         where k.use <> o.use and k.use <> 'raw' and o.use <> 'raw'`,
      `update signing_keys k set sealed_private_key = o.sealed_private_key from signing_keys o
         where k.use <> o.use and k.use <> 'raw' and o.use <> 'raw'`,
    ],
  ])('names %s, and what to do', async (_what, check, health, spoil, mend) => {
    await query(url, spoil)
    const { code, of } = await look()
    await query(url, mend)
    expect(of(check)).toMatchObject({ health, fix: expect.stringMatching(/\w{3}/) })
    expect(code).toBe(health === 'problem' ? 1 : 3)
    expect((await look()).of(check)?.health).toBe('ok')
  })

  test('names a secret that others can read, and leaves it as it is', async () => {
    await chmod(join(dataDir, 'master-key'), 0o644)
    for (const attempt of [1, 2]) {
      const { code, of } = await look()
      expect([attempt, code, of('file modes')?.health]).toEqual([attempt, 1, 'problem'])
      expect(of('file modes')?.fix).toContain(`chmod 600 ${join(dataDir, 'master-key')}`)
    }
    await chmod(join(dataDir, 'master-key'), 0o600)
  })

  test('names what a dead process left', async () => {
    const lock = join(dataDir, 'server-4194300-00aa.lock')
    await writeFile(lock, JSON.stringify({ pid: 4_194_300, startTime: '1', scope: 'x', host: 'h', since: 1 }))
    await utimes(lock, 1, 1)
    await writeFile(join(dataDir, 'master-key.0123456789ab'), '')
    const { of } = await look()
    await rm(lock)
    await rm(join(dataDir, 'master-key.0123456789ab'))
    expect(of('locks')).toMatchObject({ health: 'warning', detail: expect.stringContaining(lock) })
    expect(of('leftovers')?.detail).toContain('master-key.0123456789ab')
  })

  test('looks into the database of a stopped server too, and leaves it stopped', async () => {
    await server.stop()
    const { code, findings, of } = await look()
    expect(findings.filter(({ health, check }) => health !== 'ok' && check !== 'disk')).toEqual([])
    expect(code).toBe(of('disk')?.health === 'ok' ? 0 : 3)
    expect(of('locks')?.detail).toBe('No server uses the folder.')
    expect(of('database')?.detail).toMatch(/^PostgreSQL 18.*started for this look alone/)
    expect(of('master key')?.detail).toMatch(/^Opens all \d+ secrets/)
    expect(await runningCluster(dataDir)).toBeNull()
    expect((await readdir(dataDir)).filter((name) => name.endsWith('.lock'))).toEqual([])
  })

  test('names a stopped server’s master key that opens nothing, as after a wrong restore', async () => {
    const file = join(dataDir, 'master-key')
    const right = await readFile(file, 'utf8')
    await writeFile(file, `${randomBytes(32).toString('base64')}\n`)
    const { code, of } = await look()
    await writeFile(file, right)
    expect([code, of('master key')?.health]).toEqual([1, 'problem'])
    expect(await runningCluster(dataDir)).toBeNull()
  })

  test('starts nothing where that would change something', async () => {
    await chmod(join(dataDir, 'master-key'), 0o644)
    const open = await look()
    await chmod(join(dataDir, 'master-key'), 0o600)
    expect([open.code, open.of('database')?.health, open.of('jobs')?.health]).toEqual([
      1,
      'warning',
      'unknown',
    ])
    await rm(join(dataDir, 'postgres-password'))
    const { code, of } = await look()
    expect([code, of('database')?.detail]).toEqual([3, expect.stringContaining('postgres-password is gone')])
    expect(await readdir(dataDir)).not.toContain('postgres-password')
    const never = await doctor({ LEASEHOLD_DATA_DIR: await place.dataDir() })
    expect([never.code, never.of('database')?.detail]).toEqual([3, expect.stringContaining('none has made')])
  })
})

describe('on a database of its own', () => {
  let app: TestApp
  let env: Record<string, string>
  beforeEach(async () => {
    app = await startTestApp()
    await app.admin('POST', '/products', { code: 'keldris', name: 'Keldris' })
    env = {
      DATABASE_URL: app.databaseUrl,
      LEASEHOLD_MASTER_KEY: Buffer.from(app.services.masterKey).toString('base64'),
      LEASEHOLD_ROOT_KEY: `public:${app.services.rootPublicKeyHex}`,
      LEASEHOLD_ISSUER: app.services.settings.issuer,
    }
  })
  afterEach(() => app.stop())

  test('opens what is there, and says when the jobs do not run', async () => {
    const { of } = await doctor(env)
    expect(of('master key')?.health).toBe('ok')
    expect(of('signing keys')).toMatchObject({ health: 'ok', detail: '1 product: 3 keys active.' })
    expect(of('key set')?.health).toBe('ok')
    expect(of('jobs')).toMatchObject({ health: 'warning', detail: expect.stringContaining('rollup') })
  })

  test.each([
    ['another master key', { LEASEHOLD_MASTER_KEY: randomBytes(32).toString('base64') }, 'master key'],
    ['another root key', { LEASEHOLD_ROOT_KEY: `public:${'ab'.repeat(32)}` }, 'key set'],
    ['another issuer', { LEASEHOLD_ISSUER: 'https://else.example' }, 'key set'],
  ])('names %s', async (_what, changed, check) => {
    const { code, of } = await doctor({ ...env, ...changed })
    expect([code, of(check)?.health]).toEqual([1, 'problem'])
  })

  test('names keys that the last signed key set does not tell of', async () => {
    app.services.rootKey = null
    await app.admin('POST', '/signing-keys/rotate', { product: 'keldris', use: 'license' })
    expect((await doctor(env)).of('key set')).toMatchObject({
      health: 'warning',
      fix: expect.stringContaining('sign-set'),
    })
  })

  test('names a product without a key, and missing migrations', async () => {
    await query(app.databaseUrl, "delete from signing_keys where use = 'raw'")
    expect((await doctor(env)).of('signing keys')?.detail).toContain('no active raw key of keldris')
    await query(
      app.databaseUrl,
      'delete from drizzle.__drizzle_migrations where id = (select max(id) from drizzle.__drizzle_migrations)',
    )
    const { code, of } = await doctor(env)
    expect([code, of('migrations')?.health, of('owner')?.health]).toEqual([1, 'problem', 'unknown'])
  })

  test('T7: names clocks that differ', async () => {
    const ahead = (ms: number) => virtualClock(new Date(Date.now() + ms).toISOString())
    const healthAt = async (ms: number) => (await examineClock(app.services.db, ahead(ms))).health
    expect(await healthAt(0)).toBe('ok')
    expect(await healthAt(20_000)).toBe('warning')
    expect(await healthAt(70_000)).toBe('problem')
  })
})

test('says that the database does not answer, with no trace of the inside', async () => {
  const env = outsideDatabase(`postgres://leasehold:hunter2@127.0.0.1:${await freePort()}/leasehold`)
  const { code, of, findings } = await doctor(env)
  expect(code).toBe(1)
  expect(of('database')).toMatchObject({
    health: 'problem',
    detail: expect.stringContaining('does not answer'),
  })
  expect(JSON.stringify(findings)).not.toContain('hunter2')
})

test('says every setting that is wrong', async () => {
  const { code, out, err } = await inProcess(['doctor'], '', { PORT: 'x', LEASEHOLD_DEMO: 'maybe' })
  expect(code).toBe(1)
  expect(out).toMatch(/problem +settings/)
  expect(out).toContain('PORT')
  expect(out).toContain('LEASEHOLD_DEMO')
  expect(err).toBe('1 problem, 0 warnings.\n')
})
