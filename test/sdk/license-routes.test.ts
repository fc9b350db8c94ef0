// What the frameworks answer, beyond the example product: Express, bodies that are too large or no JSON, an admin check that
// fails; and the Postgres lock and store on clients of pg.
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Hono } from 'hono'
import pg from 'pg'
import postgres from 'postgres'
import { afterEach, describe, expect, test } from 'vitest'
import * as inExpress from '../../src/sdk/enforce/express.ts'
import * as inHono from '../../src/sdk/enforce/hono.ts'
import { cameleerLimits, enforceLimits, postgresLock } from '../../src/sdk/enforce/index.ts'
import { startLicense } from '../../src/sdk/host/node-start.ts'
import {
  LICENSE_TABLE,
  type LicenseService,
  memoryStore,
  openLicenseService,
  postgresStore,
} from '../../src/sdk/offline/index.ts'
import { cloneDatabase } from '../support/database.ts'

const endings: (() => unknown)[] = []
/** A pool that ends does not wait for its connections, which may hear of the database's end. */
const ignore = () => {}
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

async function opened() {
  const started = await startLicense({
    product: 'cameleer',
    version: '1.0.0',
    trust: {},
    community: { limits: cameleerLimits },
    dataDir: false,
    log: { info() {}, warn() {}, error() {} },
  })
  const license = enforceLimits(started, { audit() {} })
  // @ts-expect-error: not one of the thirteen
  expect(() => license.withinCap('max_apartments', 1)).toThrow(TypeError)
  const service = await openLicenseService(license, { tenantId: 'acme', store: memoryStore() })
  endings.push(() => service.stop())
  return { license, service }
}

type Ask = (path: string, init?: RequestInit) => Promise<Response>
type Admin = (name: string | undefined) => string | false

const underHono = async (service: LicenseService, admin: Admin, refused: () => void): Promise<Ask> => {
  const app = new Hono()
  app.onError((error, c) => inHono.answerCap(c, error) ?? c.text('failed', 500))
  app.use(
    inHono.licenseRoutes(service, { admin: (c) => admin(c.req.raw.headers.get('x-user') ?? undefined) }),
  )
  app.get('/make', () => {
    refused()
    return new Response('made')
  })
  return async (path, init) => app.request(path, init)
}

const underExpress = async (service: LicenseService, admin: Admin, refused: () => void): Promise<Ask> => {
  const app = express()
  app.use(
    inExpress.licenseRoutes(service, { admin: (request) => admin(String(request.headers['x-user'] ?? '')) }),
  )
  app.get('/make', (_request, response) => {
    refused()
    response.send('made')
  })
  app.use(inExpress.answerCap)
  app.use(((_error, _request, response, _next) =>
    response.status(500).send('failed')) as express.ErrorRequestHandler)
  const server = app.listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  endings.push(() => server.close())
  return (path, init) => fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, init)
}

const PATH = '/api/v1/admin/license'
const JSON_TYPE = { 'content-type': 'application/json' }
const ALICE = { 'x-user': 'alice' }

describe.each([
  ['Hono', underHono],
  ['Express', underExpress],
])('under %s', (_name, serve) => {
  test('each route answers, and nothing else of the product does', async () => {
    const { license, service } = await opened()
    const admin: Admin = (name) => {
      if (name === 'broken') throw new Error('the directory is away')
      return name === 'alice' && name
    }
    const ask = await serve(service, admin, () => license.assertWithinCap('max_apps', 3))
    const got = async (path: string, init?: RequestInit) => {
      const answer = await ask(path, init)
      const text = await answer.text()
      return [answer.status, text.startsWith('{') ? JSON.parse(text) : text]
    }
    const post = (body: string, headers: Record<string, string> = JSON_TYPE) =>
      got(PATH, { method: 'POST', body, headers: { ...ALICE, ...headers } })
    expect(await got(PATH, { headers: ALICE })).toEqual([
      200,
      { state: 'ABSENT', invalidReason: null, envelope: null },
    ])
    expect((await got(`${PATH}/usage?x=1`, { headers: ALICE }))[0]).toBe(200)
    expect(await got(PATH)).toEqual([403, { error: 'admin required' }])
    expect(await got(PATH, { headers: { 'x-user': 'broken' } })).toEqual([500, 'failed'])
    expect(await post('{"token":"x"}')).toEqual([400, { error: 'license public key not configured' }])
    expect(await post('{"token":7}')).toEqual([400, { error: 'the body must be {"token": "…"}' }])
    expect(await post('{')).toEqual([400, { error: 'the body must be {"token": "…"}' }])
    expect(await post('{}', { 'content-type': 'text/plain' })).toEqual([
      415,
      { error: 'the body must be application/json' },
    ])
    expect(await post(`{"token":"${'x'.repeat(70_000)}"}`)).toEqual([
      413,
      { error: 'the body is larger than 65536 bytes' },
    ])
    expect(await got(PATH, { method: 'DELETE', headers: ALICE })).toEqual([
      405,
      { error: 'method not allowed' },
    ])
    expect((await ask(PATH, { headers: ALICE })).headers.get('cache-control')).toBe('no-store')
    expect((await got(`${PATH}s`))[0]).toBe(404)
    const [status, body] = await got('/make')
    expect([status, body.limit, body.current]).toEqual([403, 'max_apps', 4])
  })

  test('a body that a middleware has read already is read again', async () => {
    const { service } = await opened()
    const app = new Hono()
    app.use(async (c, next) => {
      await c.req.json()
      await next()
    })
    app.use(inHono.licenseRoutes(service, { admin: () => 'alice' }))
    const post = (token: string) =>
      app.request(PATH, { method: 'POST', body: JSON.stringify({ token }), headers: JSON_TYPE })
    expect(await (await post('x')).json()).toEqual({ error: 'license public key not configured' })
    expect((await post('x'.repeat(70_000))).status).toBe(413)
  })

  test('without an admin check there are no routes', async () => {
    const { service } = await opened()
    expect(() => inHono.licenseRoutes(service, {} as never)).toThrow(TypeError)
    expect(() => inExpress.licenseRoutes(service, undefined as never)).toThrow(TypeError)
  })
})

describe('on clients of pg and postgres.js', () => {
  async function database() {
    const cloned = await cloneDatabase()
    endings.push(() => cloned.drop())
    return cloned.url
  }

  const KINDS = ['Pool', 'Client', 'Client that has two locks', 'client of postgres.js'] as const
  test.each(KINDS)('a %s holds the lock, against others too', async (kind) => {
    const url = await database()
    // A default under which a snapshot from before the wait would be counted.
    const options = '-c default_transaction_isolation=repeatable\\ read'
    const pool = new pg.Pool({ connectionString: url, max: 6, options })
    endings.push(() => pool.end())
    pool.on('error', ignore)
    await pool.query('create table things (id bigserial)')
    const connected = async () => {
      const client = new pg.Client(url)
      await client.connect()
      endings.push(() => client.end())
      return client
    }
    const one = await connected()
    const lock = async () => {
      if (kind === 'Pool') return postgresLock(pool)
      if (kind === 'Client that has two locks') return postgresLock(one)
      if (kind === 'Client') return postgresLock(await connected())
      const sql = postgres(url, { max: 4, connection: { default_transaction_isolation: 'repeatable read' } })
      endings.push(() => sql.end())
      return postgresLock(sql)
    }
    const locks = [await lock(), await lock()]
    const made = async (i: number) =>
      locks[i % 2]?.hold(['max_apps'], async (query) => {
        const [row] = await query('select count(*)::int as n from things')
        if (Number(row?.n) >= 10) throw new Error('full')
        await query('insert into things default values')
      })
    const results = await Promise.allSettled(Array.from({ length: 60 }, (_, i) => made(i)))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
    expect((await pool.query('select count(*)::int as n from things')).rows).toEqual([{ n: 10 }])
  })

  test('work that fails is rolled back, and a lock that another process holds is waited for so long', async () => {
    const pool = new pg.Pool({ connectionString: await database(), max: 6 })
    endings.push(() => pool.end())
    pool.on('error', ignore)
    await pool.query('create table things (id bigserial)')
    const fails = postgresLock(pool).hold(['a'], async (query) => {
      await query('insert into things default values')
      throw new Error('after all')
    })
    await expect(fails).rejects.toThrow('after all')
    expect((await pool.query('select * from things')).rows).toEqual([])
    const nested = postgresLock(pool).hold(['a', 'b'], () =>
      postgresLock(pool, { timeout: 50 }).hold(['b'], async () => 'never'),
    )
    await expect(nested).rejects.toMatchObject({ code: '55P03' })
    expect(await postgresLock(pool).hold(['b'], async () => 'free again')).toBe('free again')
  })

  test('a connection that is lost meanwhile costs the work alone, and hides nothing of why', async () => {
    const pool = new pg.Pool({ connectionString: await database(), max: 2 })
    endings.push(() => pool.end())
    pool.on('error', ignore)
    const lost = postgresLock(pool).hold(['a'], async (query) => {
      const [row] = await query('select pg_backend_pid() as pid')
      await pool.query('select pg_terminate_backend($1)', [row?.pid])
      await query('select 1').catch(() => {})
      throw new Error('why')
    })
    await expect(lost).rejects.toThrow('why')
    expect(await postgresLock(pool).hold(['a'], async () => 'free again')).toBe('free again')
  })

  test('the store keeps, touches and gives back', async () => {
    const pool = new pg.Pool({ connectionString: await database(), max: 2 })
    endings.push(() => pool.end())
    pool.on('error', ignore)
    await pool.query(LICENSE_TABLE)
    const store = postgresStore(pool)
    const row = {
      tenantId: 'acme',
      token: 'a.b',
      licenseId: '11111111-2222-4333-8444-555555555555',
      installedAt: '2026-01-02T03:04:05.678Z',
      installedBy: 'alice',
      expiresAt: '2027-01-01T00:00:00.000Z',
      lastValidatedAt: null,
    }
    expect(await store.read('acme')).toBeNull()
    await store.write({ ...row, token: 'old' })
    await store.write(row)
    expect(await store.read('acme')).toEqual(row)
    await store.touch('acme', '2026-02-01T03:00:00.000Z')
    expect(await store.read('acme')).toEqual({ ...row, lastValidatedAt: '2026-02-01T03:00:00.000Z' })
    expect(await store.read('globex')).toBeNull()
  })
})
