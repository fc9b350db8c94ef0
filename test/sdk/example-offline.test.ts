// The example product of an air-gapped site: two processes on one real Postgres. Each kind of cap over HTTP, the license's
// routes, what is refused and how it is said, and what survives a restart.
import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { resolve } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'
import { freePort, until } from '../support/leasehold-process.ts'

vi.setConfig({ testTimeout: 30_000 })

const PROGRAM = resolve(import.meta.dirname, 'example-offline/server.ts')
const DAY = 86_400
const vendor = generateKeyPairSync('ed25519')
const PUBLIC_KEY = vendor.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
const ADMIN = { authorization: 'Bearer secret' }

interface Answer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of a body.
  body: any
}

interface Product {
  log(): string
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  stop(): Promise<void>
}

const now = () => Math.floor(Date.now() / 1000)

/** By the format's description, with node:crypto alone. */
function envelope(changes: Record<string, unknown> = {}, key: KeyObject = vendor.privateKey): string {
  const payload = {
    exp: now() + 90 * DAY,
    gracePeriodDays: 30,
    iat: now() - 10,
    label: 'ACME prod',
    licenseId: randomUUID(),
    limits: { max_apps: 10, max_log_retention_days: 30, max_users: 2147483647 },
    tenantId: 'acme',
    ...changes,
  }
  const bytes = Buffer.from(JSON.stringify(payload))
  return `${bytes.toString('base64')}.${sign(null, bytes, key).toString('base64')}`
}

let database: ClonedDatabase
let sql: postgres.Sql
const products: ChildProcess[] = []

async function startProduct(env: Record<string, string> = {}): Promise<Product> {
  const port = await freePort()
  const child = spawn(process.execPath, [PROGRAM], {
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      DATABASE_URL: database.url,
      LICENSE_PUBLIC_KEY: PUBLIC_KEY,
      LICENSE_TENANT: 'acme',
      ADMIN_TOKEN: 'secret',
      ...env,
    },
  })
  products.push(child)
  let written = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      written += chunk.toString()
    })
  }
  const closed = new Promise<void>((done) => child.once('close', () => done()))
  await until(() => {
    if (child.exitCode !== null) throw new Error(`it ended:\n${written}`)
    return written.includes('listening on')
  }, 20_000)
  return {
    log: () => written,
    async ask(method, path, body, headers = ADMIN) {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await answer.text()
      const isJson = answer.headers.get('content-type')?.includes('json')
      return { status: answer.status, body: isJson ? JSON.parse(text) : text }
    },
    async stop() {
      child.kill('SIGTERM')
      await closed
    },
  }
}

const audited = async (action: string) =>
  (await sql`select event from audit where event->>'action' = ${action} order by id`).map(
    ({ event }) => event,
  )

const LICENSE = '/api/v1/admin/license'

let one: Product
let other: Product
/** It was given no public key. */
let blind: Product

beforeAll(async () => {
  database = await cloneDatabase()
  sql = postgres(database.url, { onnotice: () => {}, max: 2 })
  const keyless = { LICENSE_PUBLIC_KEY: '' }
  ;[one, other, blind] = await Promise.all([startProduct(), startProduct(), startProduct(keyless)])
})
afterAll(async () => {
  for (const child of products) child.kill('SIGKILL')
  await sql.end()
  await database.drop()
})

describe('without a license', () => {
  test('100 creates at once on two processes make as many as the cap', async () => {
    const asked = Array.from({ length: 100 }, (_, i) => (i % 2 ? one : other).ask('POST', '/apps'))
    const answers = await Promise.all(asked)
    const made = answers.filter(({ status }) => status === 201)
    expect(made).toHaveLength(3)
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(97)
    expect(await sql`select count(*)::int as n from things where kind = 'apps'`).toEqual([{ n: 3 }])
  })

  test('each refusal of a count is a 403 that explains itself', async () => {
    const message =
      'No license installed: default tier applies (cap = 3 for max_apps). Install a license to raise this.'
    expect(await one.ask('POST', '/apps')).toEqual({
      status: 403,
      body: { error: 'license cap reached', limit: 'max_apps', current: 4, cap: 3, state: 'ABSENT', message },
    })
    const caps = { environments: 1, agents: 5, users: 3, connections: 1, alert_rules: 2 }
    for (const [kind, cap] of Object.entries(caps)) {
      for (let made = 0; made < cap; made++) expect((await one.ask('POST', `/${kind}`)).status).toBe(201)
      const refused = await other.ask('POST', `/${kind}`)
      expect(refused).toMatchObject({ status: 403, body: { cap, current: cap + 1, state: 'ABSENT' } })
    }
  })

  test('sums are refused all or nothing', async () => {
    const made = await one.ask('POST', '/deployments', { cpu: 500, memory: 256, replicas: 2 })
    expect(made.status).toBe(201)
    const over = (body: object) => one.ask('POST', '/deployments', body)
    expect(await over({ cpu: 501, memory: 1, replicas: 2 })).toMatchObject({
      status: 403,
      body: { limit: 'max_total_cpu_millis', current: 2002, cap: 2000 },
    })
    expect(await over({ cpu: 1, memory: 1537, replicas: 1 })).toMatchObject({
      body: { limit: 'max_total_memory_mb', current: 2049, cap: 2048 },
    })
    expect(await over({ cpu: 1, memory: 1, replicas: 4 })).toMatchObject({
      body: { limit: 'max_total_replicas', current: 6, cap: 5 },
    })
    expect(await sql`select count(*)::int as n from deployments`).toEqual([{ n: 1 }])
  })

  test('a setting over its cap is a 422 in the words of the reference', async () => {
    const put = (body: object) => one.ask('PUT', '/environments/prod', body)
    expect(await put({ log_days: 30 })).toEqual({
      status: 422,
      body: {
        error: 'retention max_log_retention_days=30 exceeds license cap 1',
        limit: 'max_log_retention_days',
        current: 30,
        cap: 1,
        state: 'ABSENT',
        message:
          'No license installed: default tier applies (cap = 1 for max_log_retention_days). Install a license to raise this.',
      },
    })
    expect(await put({ jars: 4 })).toMatchObject({
      status: 422,
      body: { error: 'jarRetentionCount 4 exceeds license cap 3' },
    })
    expect((await put({ log_days: 1, jars: 3 })).status).toBe(200)
    await put({ log_days: 1 })
  })

  test('each refusal is audited and counted', async () => {
    // A refusal does not wait for its record.
    await until(async () => (await audited('cap_exceeded')).length >= 97 + 1 + 5 + 3 + 2)
    const refusals = await audited('cap_exceeded')
    expect(refusals).toHaveLength(97 + 1 + 5 + 3 + 2)
    expect(refusals.at(-1)).toMatchObject({
      category: 'LICENSE',
      details: { limit: 'max_jar_retention_count', current: 4, cap: 3, state: 'ABSENT' },
    })
    const { body } = await one.ask('GET', '/metrics')
    expect(body).toContain('cameleer_license_state{state="ABSENT"} 1')
    expect(body).toContain('cameleer_license_days_remaining -1')
    expect(body).toContain('cameleer_license_last_validated_age_seconds -1')
    expect(body).toContain('cameleer_license_limit_utilisation{limit="max_total_cpu_millis"} 0.5')
    expect(body).toContain('cameleer_license_cap_rejections_total{limit="max_total_memory_mb"} 1')
  })
})

describe('what is refused', () => {
  const stranger = generateKeyPairSync('ed25519').privateKey
  const ended = now() - 40 * DAY
  const cases: Record<string, [token: () => string, error: string]> = {
    'a wrong tenant': [
      () => envelope({ tenantId: 'globex' }),
      "License tenantId 'globex' does not match server tenant 'acme'",
    ],
    'a tampered byte': [
      () => {
        const [payload = '', signature] = envelope().split('.')
        const bytes = Buffer.from(payload, 'base64')
        bytes[bytes.indexOf('max_apps') + 11] = 0x39
        return `${bytes.toString('base64')}.${signature}`
      },
      'License signature verification failed',
    ],
    "another vendor's key": [() => envelope({}, stranger), 'License signature verification failed'],
    base64url: [
      () => envelope({ label: 'ÿÿÿ???>>>' }).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''),
      'License token is not valid base64',
    ],
    'one that has ended': [
      () => envelope({ exp: ended }),
      `License expired at ${new Date(ended * 1000).toISOString().replace('.000Z', 'Z')} (grace period 30 days)`,
    ],
  }

  test.each(Object.entries(cases))(
    '%s is refused with its own message and audited',
    async (_name, [token, error]) => {
      const before = (await audited('reject_license')).length
      expect(await one.ask('POST', LICENSE, { token: token() })).toEqual({ status: 400, body: { error } })
      const rows = await audited('reject_license')
      expect(rows).toHaveLength(before + 1)
      expect(rows.at(-1)).toMatchObject({ actor: 'alice', details: { reason: error, source: 'api' } })
      expect((await one.ask('GET', LICENSE)).body).toEqual({
        state: 'INVALID',
        invalidReason: error,
        envelope: null,
      })
      expect(await one.ask('GET', '/')).toEqual({ status: 200, body: 'served\n' })
      expect((await one.ask('POST', '/apps')).body.message).toBe(
        `License rejected (${error}): default tier applies (cap = 3 for max_apps). Fix the license to raise this.`,
      )
    },
  )

  test('nobody but an admin sees or installs anything', async () => {
    for (const [method, path] of [
      ['GET', LICENSE],
      ['POST', LICENSE],
      ['GET', `${LICENSE}/usage`],
    ] as const) {
      const answer = await one.ask(method, path, method === 'POST' ? { token: envelope() } : undefined, {})
      expect(answer).toEqual({ status: 403, body: { error: 'admin required' } })
    }
    expect(await audited('install_license')).toEqual([])
  })
})

describe('with a license', () => {
  const licenseId = randomUUID()
  const token = () => envelope({ licenseId, exp: 4_000_000_000 })

  test('a POST installs it, raises the caps at once, and tells the retention', async () => {
    const { status, body } = await one.ask('POST', LICENSE, { token: token() })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      state: 'ACTIVE',
      envelope: { licenseId, tenantId: 'acme', label: 'ACME prod', gracePeriodDays: 30 },
    })
    expect((await audited('install_license')).map(({ details }) => details)).toEqual([
      { licenseId, expiresAt: '2096-10-02T07:06:40.000Z', installedBy: 'alice', source: 'api' },
    ])
    expect((await one.ask('POST', '/apps')).status).toBe(201)
    expect((await one.ask('PUT', '/environments/prod', { log_days: 30 })).status).toBe(200)
    expect(one.log()).toContain(
      "ALTER TABLE `logs` MODIFY TTL toDateTime(`timestamp`) + INTERVAL 1 DAY DELETE WHERE `environment` = 'prod'",
    )
  })

  test('the usage page shows current, cap and source of all thirteen', async () => {
    const { body } = await one.ask('GET', `${LICENSE}/usage`)
    expect(body).toMatchObject({
      state: 'ACTIVE',
      expiresAt: '2096-10-02T07:06:40.000Z',
      gracePeriodDays: 30,
      tenantId: 'acme',
      label: 'ACME prod',
      message: null,
    })
    expect(body.daysRemaining).toBeGreaterThan(20_000)
    expect(Date.parse(body.lastValidatedAt)).toBeGreaterThan(0)
    expect(body.limits).toEqual([
      { key: 'max_environments', current: 1, cap: 1, source: 'default' },
      { key: 'max_apps', current: 4, cap: 10, source: 'license' },
      { key: 'max_agents', current: 5, cap: 5, source: 'default' },
      { key: 'max_users', current: 3, cap: -1, source: 'license' },
      { key: 'max_outbound_connections', current: 1, cap: 1, source: 'default' },
      { key: 'max_alert_rules', current: 2, cap: 2, source: 'default' },
      { key: 'max_total_cpu_millis', current: 1000, cap: 2000, source: 'default' },
      { key: 'max_total_memory_mb', current: 512, cap: 2048, source: 'default' },
      { key: 'max_total_replicas', current: 2, cap: 5, source: 'default' },
      { key: 'max_execution_retention_days', current: 7, cap: 1, source: 'default' },
      { key: 'max_log_retention_days', current: 30, cap: 30, source: 'license' },
      { key: 'max_metric_retention_days', current: 14, cap: 1, source: 'default' },
      { key: 'max_jar_retention_count', current: 3, cap: 3, source: 'default' },
    ])
  })

  test('a refused one leaves it in force, and shows', async () => {
    const error = "License tenantId 'globex' does not match server tenant 'acme'"
    const refused = await one.ask('POST', LICENSE, { token: envelope({ tenantId: 'globex' }) })
    expect(refused).toEqual({ status: 400, body: { error } })
    expect((await one.ask('GET', LICENSE)).body).toMatchObject({
      state: 'ACTIVE',
      invalidReason: error,
      envelope: { licenseId },
    })
  })

  test('it survives a restart, though the environment names a bad one, and is not audited again', async () => {
    await other.stop()
    other = await startProduct({ LICENSE_TOKEN: envelope({ tenantId: 'globex' }) })
    const { body } = await other.ask('GET', LICENSE)
    expect(body).toMatchObject({ state: 'ACTIVE', envelope: { licenseId } })
    expect(await audited('install_license')).toHaveLength(1)
    expect(await audited('replace_license')).toEqual([])
    expect((await audited('reject_license')).at(-1)).toMatchObject({
      actor: 'system',
      details: { source: 'env' },
    })
  })

  test('100 creates at once on two processes make exactly ten', async () => {
    await sql`delete from things where kind = 'apps'`
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => (i % 2 ? one : other).ask('POST', '/apps')),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(10)
    expect(await sql`select count(*)::int as n from things where kind = 'apps'`).toEqual([{ n: 10 }])
    expect(answers.find(({ status }) => status === 403)?.body).toEqual({
      error: 'license cap reached',
      limit: 'max_apps',
      current: 11,
      cap: 10,
      state: 'ACTIVE',
      message:
        'License cap reached: max_apps = 10. Current usage is 11. Contact your vendor to raise the cap.',
    })
  })

  test('its token is in no answer and no log', async () => {
    const [row] = await sql<{ token: string }[]>`select token from license where tenant_id = 'acme'`
    const [payload = ''] = (row?.token ?? '').split('.')
    expect(payload).not.toBe('')
    const paths = [LICENSE, `${LICENSE}/usage`, '/metrics']
    const answers = await Promise.all(paths.map((path) => one.ask('GET', path)))
    for (const text of [...answers.map(({ body }) => JSON.stringify(body)), one.log(), other.log()]) {
      expect(text).not.toContain(payload.slice(0, 40))
    }
    expect(JSON.stringify(await sql`select event from audit`)).not.toContain(payload.slice(0, 40))
  })

  test('without the public key it serves on, and every license is INVALID', async () => {
    expect(await blind.ask('POST', LICENSE, { token: token() })).toEqual({
      status: 400,
      body: { error: 'license public key not configured' },
    })
    expect((await blind.ask('GET', LICENSE)).body).toMatchObject({
      state: 'INVALID',
      invalidReason: 'license public key not configured',
      envelope: null,
    })
    expect((await blind.ask('GET', '/')).status).toBe(200)
  })
})
