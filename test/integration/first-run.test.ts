import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { caller } from '../support/app.ts'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'
import { spawned } from '../support/leasehold-cli.ts'
import {
  AS_STARTED,
  credentialsIn,
  type LeaseholdProcess,
  type StoredCredentials,
  until,
  workplace,
} from '../support/leasehold-process.ts'
import { outsideDatabase } from '../support/outside-database.ts'
import { query } from '../support/query.ts'

// Real processes, each with a database to make: slow where the machine is busy.
vi.setConfig({ testTimeout: 60_000 })

const place = workplace()
afterAll(() => place.clear())

const admin = (server: LeaseholdProcess, key: string, path: string) =>
  caller(server.url)('GET', `/api/v1/admin${path}`, { bearer: key })

const exchange = (server: LeaseholdProcess, apiKey: string) =>
  caller(server.url)('POST', '/api/v1/licenses/token', {
    bearer: apiKey,
    body: { instance_id: 'first-run', version: '1.0.0' },
  })

const activate = (server: LeaseholdProcess, licenseKey: string) =>
  caller(server.url)('POST', '/api/v1/licenses/activate', {
    body: { license_key: licenseKey, instance_id: 'first-run', product: 'keldris' },
  })

describe('without any setting', () => {
  let dataDir: string
  let server: LeaseholdProcess
  let credentials: StoredCredentials
  let readyAfter: number

  beforeAll(async () => {
    dataDir = await place.dataDir()
    const began = performance.now()
    server = await place.start({ dataDir, command: AS_STARTED })
    readyAfter = performance.now() - began
    credentials = await credentialsIn(dataDir)
  })

  test('no log line has a member twice: the database started in a process of its own', () => {
    const line = server
      .stdout()
      .split('\n')
      .find((text) => text.includes('embedded database started'))
    expect(line?.match(/"pid":/g)).toHaveLength(1)
    expect(JSON.parse(line ?? '')).toMatchObject({ pid: server.pid, postmaster: expect.any(Number) })
  })

  test('its state can be exported beside it, and nothing is imported into it', async () => {
    const beside = { LEASEHOLD_DATA_DIR: dataDir }
    const { code, out } = await spawned(['export', '-'], '', beside)
    expect([code, out]).toEqual([0, expect.stringContaining('{"table":"products","row":{"code":"keldris"')])
    const refused = await spawned(['import', '-'], out, beside)
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining(dataDir)])
  })

  test('the first start takes seconds', () => {
    process.stdout.write(`first start: ready after ${Math.round(readyAfter)} ms\n`)
    // On a quiet machine under 5 s; the bound is for one that does other things too.
    expect(readyAfter).toBeLessThan(20_000)
  })

  test('credentials.json holds what a user needs, for the user alone', async () => {
    const file = join(dataDir, 'credentials.json')
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      admin_key: expect.stringMatching(/^lak_[0-9A-Za-z]{49}$/),
      product: 'keldris',
      license_key: expect.stringMatching(/^eyJ[\w-]+\.[\w-]+$/),
      api_key: expect.stringMatching(/^sk-[0-9A-Za-z]{49}$/),
      issuer: server.url,
      root_public_key: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    for (const name of ['credentials.json', 'master-key', 'root-key.pem']) {
      expect((await stat(join(dataDir, name))).mode & 0o777).toBe(0o600)
    }
  })

  test('the banner says where everything is, and nothing written holds a secret', async () => {
    const shown = server.stderr()
    expect(shown).toContain(server.url)
    expect(shown).toContain(join(dataDir, 'credentials.json'))
    expect(shown).toMatch(/PostgreSQL 18\.\d+, embedded, in \S+/)
    expect(shown).toContain('scripts/test-heartbeat.sh')
    const written = server.stdout() + shown
    const masterKey = (await readFile(join(dataDir, 'master-key'), 'utf8')).trim()
    const secrets = [credentials.admin_key, credentials.license_key, credentials.api_key, masterKey]
    for (const secret of secrets) expect(written).not.toContain(secret)
  })

  test('standard output is JSON lines and nothing else', () => {
    for (const line of server.stdout().trim().split('\n')) {
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), msg: expect.any(String) })
    }
  })

  test('the catalog is that of the reference', async () => {
    const tiers = (await admin(server, credentials.admin_key, '/tiers?product=keldris')).body
    const found = Object.fromEntries(tiers.map((tier: { code: string }) => [tier.code, tier]))
    expect(Object.keys(found).sort()).toEqual(['enterprise', 'free', 'pro'])
    expect(found.free).toMatchObject({
      rank: 0,
      features: [],
      limits: { max_agents: 3, max_users: 3, max_orgs: 1 },
      grace_days: 0,
    })
    expect(found.pro).toMatchObject({
      limits: { max_agents: 100, max_users: 10, max_orgs: 3 },
      grace_days: 30,
    })
    expect(found.pro.features).toHaveLength(16)
    expect(found.enterprise.limits).toEqual({ max_agents: -1, max_users: -1, max_orgs: -1 })
    expect(found.enterprise.features).toHaveLength(28)
    expect(found.enterprise.features).toEqual(expect.arrayContaining(found.pro.features))
  })

  test('every key of the file works', async () => {
    expect(await exchange(server, credentials.api_key)).toMatchObject({ status: 200 })
    expect(await activate(server, credentials.license_key)).toMatchObject({ body: { status: 'active' } })
    expect((await admin(server, credentials.admin_key, '/admin-keys')).body).toMatchObject([
      { role: 'owner' },
    ])
  })

  test('a second start changes nothing', async () => {
    const before = await made(server, credentials.admin_key)
    const file = await readFile(join(dataDir, 'credentials.json'), 'utf8')
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    server = await place.start({ dataDir, port: server.port })
    expect(await readFile(join(dataDir, 'credentials.json'), 'utf8')).toBe(file)
    expect(await made(server, credentials.admin_key)).toEqual(before)
    expect(server.stderr()).not.toContain('news')
  })

  test('another port changes neither the file nor the issuer: leases and the root live on', async () => {
    const file = await readFile(join(dataDir, 'credentials.json'), 'utf8')
    const { body } = await exchange(server, credentials.api_key)
    await server.stop()
    const other = await place.start({ dataDir })
    expect(other.port).not.toBe(server.port)
    expect(await readFile(join(dataDir, 'credentials.json'), 'utf8')).toBe(file)
    expect(other.stdout()).toContain('the issuer stays that of earlier starts')
    expect(other.stdout()).not.toContain('THE ROOT KEY IS ANOTHER ONE')
    const refreshed = await caller(other.url)('POST', '/api/v1/licenses/refresh', {
      bearer: body.jwt,
      body: { instance_id: 'first-run', version: '1.0.0' },
    })
    expect(refreshed.status).toBe(200)
    expect(claimsOf(refreshed.body.jwt)).toMatchObject({
      iss: credentials.issuer,
      refresh_url: `${other.url}/api/v1/licenses/refresh`,
    })
    await other.stop()
    server = await place.start({ dataDir, port: server.port })
    expect(server.stdout()).not.toContain('the issuer stays that of earlier starts')
  })

  test('another issuer is written into the file, and nothing else', async () => {
    await server.stop()
    const env = { LEASEHOLD_ISSUER: 'https://license.example.com' }
    server = await place.start({ dataDir, port: server.port, env })
    expect(await credentialsIn(dataDir)).toEqual({ ...credentials, issuer: 'https://license.example.com' })
  })

  test('a lost file is made anew, with new keys, and the old ones end', async () => {
    await server.stop()
    await rm(join(dataDir, 'credentials.json'))
    server = await place.start({ dataDir, port: server.port })
    const fresh = await credentialsIn(dataDir)
    expect(server.stderr()).toContain('credentials.json was lost')
    expect(await exchange(server, fresh.api_key)).toMatchObject({ status: 200 })
    expect(await activate(server, fresh.license_key)).toMatchObject({ body: { status: 'active' } })
    expect(await admin(server, fresh.admin_key, '/products')).toMatchObject({ status: 200 })
    expect(await exchange(server, credentials.api_key)).toMatchObject({ body: { error: 'api_key_revoked' } })
    expect(await admin(server, credentials.admin_key, '/products')).toMatchObject({
      status: 401,
      body: { error: 'admin_key_revoked' },
    })
    credentials = fresh
  })

  test('a file of another database counts as lost', async () => {
    await server.stop()
    for (const name of ['postgres', 'postgres-password']) {
      await rm(join(dataDir, name), { recursive: true, force: true })
    }
    server = await place.start({ dataDir, port: server.port })
    const fresh = await credentialsIn(dataDir)
    expect(fresh.admin_key).not.toBe(credentials.admin_key)
    expect(await exchange(server, fresh.api_key)).toMatchObject({ status: 200 })
  })
})

const claimsOf = (jwt: string): unknown =>
  JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())

/** Everything that a start could have written, as the API shows it. */
async function made(server: LeaseholdProcess, key: string): Promise<string[]> {
  const paths = [
    '/products',
    '/tiers',
    '/customers',
    '/licenses',
    '/api-keys',
    '/license-keys',
    '/admin-keys',
    '/signing-keys',
    '/audit',
  ]
  const answers = await Promise.all(paths.map((path) => admin(server, key, path)))
  expect(answers.map((answer) => answer.status)).toEqual(paths.map(() => 200))
  const keySet = await fetch(`${server.url}/.well-known/leasehold-keys`)
  return [...answers.map((answer) => answer.text), await keySet.text()]
}

describe('a crash in the middle of the first start', () => {
  test.each(['embedded database started', '"audit":"product.create"', '"audit":"admin_key.create"'])(
    'at %s is healed by the next one',
    async (sign) => {
      const dataDir = await place.dataDir()
      const killed = await place.launch({ dataDir })
      await until(() => killed.stdout().includes(sign), 30_000)
      await killed.stop('SIGKILL')
      const server = await place.start({ dataDir })
      const credentials = await credentialsIn(dataDir)
      expect(await exchange(server, credentials.api_key)).toMatchObject({ status: 200 })
      expect(await activate(server, credentials.license_key)).toMatchObject({ body: { status: 'active' } })
      expect((await admin(server, credentials.admin_key, '/licenses')).body).toHaveLength(1)
      expect((await admin(server, credentials.admin_key, '/tiers')).body).toHaveLength(3)
      await server.stop()
    },
  )
})

test('without the demo there is an owner key all the same', async () => {
  const dataDir = await place.dataDir()
  const server = await place.start({ dataDir, env: { LEASEHOLD_DEMO: 'false' } })
  const credentials = await credentialsIn(dataDir)
  expect(credentials).toMatchObject({ product: null, license_key: null, api_key: null })
  expect(await admin(server, credentials.admin_key, '/products')).toMatchObject({ status: 200, body: [] })
  await server.stop()
  await rm(join(dataDir, 'credentials.json'))
  const again = await place.start({ dataDir, env: { LEASEHOLD_DEMO: 'false' } })
  await expect(credentialsIn(dataDir), 'the owner key is known to somebody').rejects.toThrow('ENOENT')
  await again.stop()
})

describe('with DATABASE_URL', () => {
  let clone: ClonedDatabase
  beforeAll(async () => {
    clone = await cloneDatabase()
  })
  afterAll(() => clone.drop())
  afterEach(() => place.clear())

  test('nothing is seeded, and the banner says how to make an admin key', async () => {
    const dataDir = await place.dataDir()
    const server = await place.start({ dataDir, env: outsideDatabase(clone.url) })
    expect(server.stderr()).toContain('npx leasehold admin-keys create --role owner')
    for (const table of ['products', 'customers', 'licenses', 'admin_keys']) {
      expect(await query(clone.url, `select 1 from ${table}`)).toEqual([])
    }
    await expect(stat(dataDir)).rejects.toThrow('ENOENT')
  })

  test('the demo comes when asked for, once for all processes, and another root key is warned of', async () => {
    const other = await cloneDatabase()
    const env = { ...outsideDatabase(other.url), LEASEHOLD_DEMO: 'true' }
    const [one, two] = [await place.dataDir(), await place.dataDir()]
    const first = await place.start({ dataDir: one, env })
    const credentials = await credentialsIn(one)
    expect(await exchange(first, credentials.api_key)).toMatchObject({ status: 200 })
    const { LEASEHOLD_ROOT_KEY } = outsideDatabase(other.url)
    const second = await place.start({ dataDir: two, env: { ...env, LEASEHOLD_ROOT_KEY } })
    expect(first.stdout()).not.toContain('THE ROOT KEY IS ANOTHER ONE')
    expect(second.stdout()).toMatch(/"level":"warn".*THE ROOT KEY IS ANOTHER ONE/)
    await expect(credentialsIn(two)).rejects.toThrow('ENOENT')
    expect(await exchange(second, credentials.api_key)).toMatchObject({ status: 200 })
    await place.clear()
    await other.drop()
  })
})
