import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createAdminKey } from '../../src/domain/admin-keys/create-admin-key.ts'
import { createCustomer } from '../../src/domain/customers/create-customer.ts'
import { answerOnce } from '../../src/domain/idempotency/answer-once.ts'
import { keyringCache } from '../../src/domain/signing/keyring.ts'
import { rotateMasterKey } from '../../src/domain/signing/rotate-master-key.ts'
import { openPepper } from '../../src/domain/signing/server-secrets.ts'
import { backgroundJobs } from '../../src/jobs/list.ts'
import { runDueJobs } from '../../src/jobs/run-due-jobs.ts'
import { randomBytes } from '../../src/platform/random.ts'
import { type Answer, caller, startTestApp, type TestApp } from '../support/app.ts'
import { type LeaseholdProcess, until } from '../support/leasehold-process.ts'
import { query } from '../support/query.ts'
import { type SeveralServers, startServers } from '../support/several-servers.ts'
import { createWorld, type World } from '../support/world.ts'

const REPLAYED = 'Idempotent-Replayed'
const MADE = { name: 'Ada', company: 'Analytical Engines' }

describe('an idempotency key', () => {
  let app: TestApp
  let world: World
  beforeEach(async () => {
    app = await startTestApp()
    world = await createWorld(app)
  })
  afterEach(() => app.stop())

  const post = (path: string, key: string, body: unknown = MADE, to = app, bearer = app.adminKey) =>
    to.call('POST', `/api/v1/admin${path}`, { bearer, body, headers: { 'Idempotency-Key': key } })
  const count = async (table: string) => {
    const [row] = await app.services.db.execute<{ n: number }>(
      sql`select count(*)::int as n from ${sql.identifier(table)}`,
    )
    return row?.n
  }

  test('gives the first answer again, byte for byte, through another process too', async () => {
    const before = await count('customers')
    const first = await post('/customers', 'key-1')
    expect([first.status, first.headers.get(REPLAYED)]).toEqual([201, null])
    const other = await startTestApp({ beside: app })
    for (const to of [app, other]) {
      const again = await post('/customers', 'key-1', MADE, to)
      expect([again.status, again.text, again.headers.get(REPLAYED)]).toEqual([201, first.text, 'true'])
      expect(again.headers.get('Content-Type')).toBe(first.headers.get('Content-Type'))
      expect(again.headers.get('X-Request-Id')).not.toBe(first.headers.get('X-Request-Id'))
    }
    await other.stop()
    expect(await count('customers')).toBe(Number(before) + 1)
    expect((await app.admin('GET', `/audit?subject=${first.body.id}`)).body).toHaveLength(1)
  })

  test('gives secrets again that are shown once, and keeps them sealed', async () => {
    const license_id = world.licenseId
    const orders = [
      ['/api-keys', { license_id, name: 'x' }, 'api_key'],
      ['/license-keys', { license_id, name: 'x' }, 'license_key'],
      [`/licenses/${license_id}/jwt`, { life: 3600, refreshable: true }, 'jwt'],
      ['/admin-keys', { name: 'x', role: 'auditor' }, 'admin_key'],
      ['/products', { code: 'fresh', name: 'fresh' }, 'id'],
    ] as const
    for (const [path, body, member] of orders) {
      const first = await post(path, 'same-key', body)
      expect([path, first.status, first.body[member]]).toEqual([path, 201, expect.any(String)])
      expect([path, (await post(path, 'same-key', body)).text]).toEqual([path, first.text])
      const rows = JSON.stringify(await app.services.db.execute(sql`select * from idempotency_keys`))
      expect(rows).not.toContain(first.body[member])
      expect(rows).not.toContain('same-key')
    }
    // What was signed and made within the one transaction serves afterwards.
    const license = { product: 'fresh', tier: 'one', customer_id: world.customerId }
    await app.admin('POST', '/tiers', { product: 'fresh', code: 'one', name: 'one', rank: 0 })
    const { body } = await app.admin('POST', '/licenses', license)
    expect((await post('/license-keys', 'k', { license_id: body.id, name: 'x' })).status).toBe(201)
  })

  test('is told to come back when the database asks for the transaction again, and is done once then', async () => {
    const before = await count('customers')
    const { db } = app.services
    await db.execute(sql`create sequence attempts`)
    await db.execute(sql`create function fail_once() returns trigger language plpgsql as $$ begin
      if nextval('attempts') = 1 then raise exception 'again' using errcode = '40001'; end if; return new; end $$`)
    await db.execute(
      sql`create trigger fail_once before insert on idempotency_keys for each row execute function fail_once()`,
    )
    const first = await post('/customers', 'again')
    expect([first.status, first.body.error]).toEqual([503, 'database_unavailable'])
    expect([first.headers.get('Retry-After'), first.headers.get('Location')]).toEqual(['5', null])
    expect(await count('customers')).toBe(before)
    expect((await post('/customers', 'again')).status).toBe(201)
    expect(await count('customers')).toBe(Number(before) + 1)
  })

  test('is refused with another body or query, and is another key on another path or for another admin', async () => {
    const first = await post('/customers', 'key-1')
    const suspendPath = `/licenses/${world.licenseId}/suspend`
    const suspend = await post(suspendPath, 'key-1', { reason: 'x' })
    expect([suspend.status, suspend.headers.get(REPLAYED)]).toEqual([200, null])
    for (const [path, body] of [
      ['/customers', { name: 'Bob' }],
      [`${suspendPath}?dry_run=true`, { reason: 'x' }],
    ] as const) {
      const reused = await post(path, 'key-1', body)
      expect([reused.status, reused.body.error]).toEqual([422, 'idempotency_key_reused'])
      expect(reused.body.fix).toContain('new key')
    }
    const { secret } = await createAdminKey(app.ctx, { name: 'b', role: 'operator', expires_at: null })
    const theirs = await post('/customers', 'key-1', MADE, app, secret)
    expect(theirs.status).toBe(201)
    expect(theirs.body.id).not.toBe(first.body.id)
  })

  test('sent fifty times at once through two processes makes one row', async () => {
    const before = Number(await count('customers'))
    const other = await startTestApp({ beside: app })
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => post('/customers', 'raced', MADE, n % 2 ? app : other)),
    )
    await other.stop()
    const made = answers.filter(({ status }) => status === 201)
    const inFlight = answers.filter(({ status }) => status !== 201)
    expect(new Set(made.map(({ text }) => text)).size).toBe(1)
    expect(made.filter(({ headers }) => headers.get(REPLAYED) === null)).toHaveLength(1)
    for (const { status, body, headers } of inFlight) {
      expect([status, body.error]).toEqual([409, 'idempotency_in_flight'])
      expect(headers.get('Retry-After')).toBe('1')
    }
    expect(await count('customers')).toBe(before + 1)
    expect(await count('idempotency_keys')).toBe(1)
  })

  test('of a request that is under way is refused until that one has ended', async () => {
    const request = { caller: 'a', key: 'k', method: 'POST', path: '/p', content: ['', '{}'] }
    const kept = { status: 200, headers: {}, body: '' }
    const ended = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const first = answerOnce(app.ctx, request, async () => {
      begun.resolve()
      await ended.promise
      return kept
    })
    await begun.promise
    const again = () => answerOnce(app.ctx, request, () => Promise.reject(new Error('twice')))
    await expect(again()).rejects.toMatchObject({ code: 'idempotency_in_flight' })
    ended.resolve()
    expect(await first).toEqual({ answer: kept, replayed: false })
    expect(await again()).toEqual({ answer: kept, replayed: true })
  })

  test('keeps no refusal, and a refusal leaves nothing behind', async () => {
    const renew = (expires_at: string) =>
      post(`/licenses/${world.licenseId}/renew`, 'renewal', { expires_at })
    const wrong = await post('/customers', 'key-1', { nobody: 1 })
    expect(wrong.status).toBe(422)
    expect((await renew('2026-01-01T00:00:00Z')).status).toBeGreaterThanOrEqual(400)
    expect(await count('idempotency_keys')).toBe(0)
    expect((await post('/customers', 'key-1')).status).toBe(201)
    expect((await renew('2028-01-01T00:00:00Z')).status).toBe(200)
    const customers = await count('customers')
    const request = { caller: 'a', key: 'undone', method: 'POST', path: '/p', content: [] }
    const undone = await answerOnce(app.ctx, request, async (within) => {
      await createCustomer(within, { name: 'late', company: '', email: null, metadata: {} })
      return null
    })
    expect([undone, await count('customers')]).toEqual([null, customers])
    const taken = { code: 'keldris', name: 'again' }
    const refused = await post('/products', 'p', taken)
    expect([refused.status, refused.body.reason]).toEqual([409, 'code_taken'])
  })

  test('has 1 to 255 printable ASCII characters', async () => {
    for (const key of ['', 'x'.repeat(256), 'caf\u00e9', 'a\tb']) {
      const { status, body } = await post('/customers', key)
      expect([key, status, body.error]).toEqual([key, 422, 'invalid_request'])
    }
    expect((await post('/customers', 'x'.repeat(255))).status).toBe(201)
    expect((await post('/customers', `"${randomUUID()}" ~`)).status).toBe(201)
  })

  test('is not looked up before the credential and the role are', async () => {
    const order = { name: 'x', role: 'owner' }
    expect((await post('/admin-keys', 'k', order)).status).toBe(201)
    expect((await post('/admin-keys', 'k', order, app, 'lak_wrong')).status).toBe(401)
    const { secret } = await createAdminKey(app.ctx, { name: 'b', role: 'operator', expires_at: null })
    expect((await post('/admin-keys', 'k', order, app, secret)).status).toBe(403)
  })

  test('is kept for a day, and then removed by the retention job', async () => {
    const first = await post('/customers', 'key-1')
    const retire = () =>
      runDueJobs(
        app.services,
        backgroundJobs({ audit: 1e8, events: 1e8, reports: 1e8, telemetryHourly: 1e8, telemetryDaily: 1e8 }),
        { holder: 'test' },
      )
    app.clock.advance(86_399_000)
    await retire()
    expect((await post('/customers', 'key-1')).text).toBe(first.text)
    app.clock.advance(86_402_000)
    await retire()
    expect(await count('idempotency_keys')).toBe(0)
    expect((await post('/customers', 'key-1')).body.id).not.toBe(first.body.id)
  })

  test('survives a rotation of the master key', async () => {
    const order = { license_id: world.licenseId, name: 'x' }
    const first = await post('/api-keys', 'k', order)
    const newKey = randomBytes(32)
    await rotateMasterKey(app.ctx, newKey)
    const { db } = app.services
    const pepper = await openPepper(db, newKey, randomBytes, app.clock.now())
    const keyring = keyringCache(db, newKey, app.clock)
    const rotated = { ...app, services: { ...app.services, masterKey: newKey, pepper, keyring } }
    const other = await startTestApp({ beside: rotated })
    expect((await post('/api-keys', 'k', order, other)).text).toBe(first.text)
    await other.stop()
  })
})

describe('a server process that is killed while it carries out requests', () => {
  let cluster: SeveralServers
  beforeAll(async () => {
    cluster = await startServers(1)
  })
  afterAll(() => cluster?.stop())

  test('has done each once when they are sent again', async () => {
    const KEYS = 16
    const ROUNDS = 1
    let server = cluster.servers[0] as LeaseholdProcess
    const create = async (key: string): Promise<Answer | null> =>
      caller(server.url)('POST', '/api/v1/admin/customers', {
        bearer: cluster.adminKey,
        body: { name: key },
        headers: { 'Idempotency-Key': key },
      }).catch(() => null)
    for (let round = 0; round < ROUNDS; round += 1) {
      const keys = Array.from({ length: KEYS }, (_, n) => `killed-${round}-${n}`)
      let answered = 0
      const first = keys.map((key) => create(key).finally(() => (answered += 1)))
      // Some are answered, some committed and not answered, some under way, some not begun.
      await until(() => answered > round)
      await server.stop('SIGKILL')
      const seen = await Promise.all(first)
      server = await cluster.add(server.port)
      for (const [n, key] of keys.entries()) {
        let again: Answer | null = null
        await until(async () => {
          again = await create(key)
          return again?.status === 201
        }, 10_000)
        const before = seen[n]
        if (before?.status === 201) expect(again).toMatchObject({ text: before.text })
      }
      const rows = await query(
        cluster.databaseUrl,
        `select c.name, count(*)::int as rows, count(distinct a.id)::int as audits
         from customers c left join audit_log a on a.subject = 'cus_' || replace(c.id::text, '-', '')
         where c.name like 'killed-${round}-%' group by c.name`,
      )
      expect(rows).toHaveLength(KEYS)
      expect(rows.filter((row) => row.rows !== 1 || row.audits !== 1)).toEqual([])
    }
  }, 60_000)
})
