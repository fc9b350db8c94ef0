// Export and import of the whole state, as processes of their own on databases of their own.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { ensurePartitions } from '../../src/db/partitions.ts'
import { NEVER_EXPORTED, tableNames } from '../../src/domain/transfer/tables.ts'
import { caller, startTestApp, type TestApp } from '../support/app.ts'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'
import { inProcess, type Outcome, PROGRAM, spawned } from '../support/leasehold-cli.ts'
import { until, workplace } from '../support/leasehold-process.ts'
import { query } from '../support/query.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { createWorld, type World } from '../support/world.ts'

let app: TestApp
let world: World
let folder: string
let masterKey: string
const clones: ClonedDatabase[] = []
const place = workplace()

const settings = (url: string, key = masterKey) => ({ DATABASE_URL: url, LEASEHOLD_MASTER_KEY: key })

/** In this process. */
async function leasehold(args: string[], url: string, input = '', key = masterKey): Promise<Outcome> {
  const said = { out: '', err: '' }
  const out = (text: string) => {
    said.out += text
  }
  const code = await main(args, settings(url, key), {
    out,
    write: async (text) => out(text),
    say: (line) => {
      said.err += `${line}\n`
    },
    source: () => Readable.from([Buffer.from(input)]),
    terminal: false,
    progress: null,
  })
  return { code, ...said }
}
const at = (name: string) => join(folder, name)

async function emptyDatabase(): Promise<string> {
  const clone = await cloneDatabase()
  clones.push(clone)
  return clone.url
}

/** One row at least in every table, with what is hard to carry: 64-bit numbers, ranges, odd texts. */
async function fill(): Promise<void> {
  const body = {
    license_key: world.licenseKey,
    instance_id: 'i-1',
    product: 'keldris',
    hostname: 'a\tb\u2028"\\',
  }
  await app.call('POST', '/api/v1/licenses/activate', { body })
  await app.call('POST', '/api/v1/licenses/token', {
    bearer: world.apiKey,
    body: { instance_id: 'i-2', version: '1' },
  })
  const heard = await app.call('POST', '/api/v1/instances/heartbeat', {
    body: {
      instance_id: 'i-1',
      product: 'keldris',
      metrics: { agent_count: 500 },
      reported_tier: 'enterprise',
      has_valid_entitlement: false,
    },
  })
  const admin = await app.admin('POST', '/customers', { name: 'x', metadata: { b: 1, a: [1e300, null] } })
  const { body: found } = await app.admin('GET', '/instances?instance_id=i-2')
  await app.admin('POST', `/instances/${found[0].id}/action`, { action: 'downgrade' })
  await app.admin('POST', '/action-budget/lift', { all: true, reason: 'drill' })
  await app.admin('POST', `/licenses/${world.licenseId}/jwt`, { life: 3600, refreshable: true })
  await app.call('POST', '/api/v1/admin/customers', {
    bearer: app.adminKey,
    body: { name: 'once' },
    headers: { 'Idempotency-Key': 'k' },
  })
  expect([admin.status, heard.status]).toEqual([201, 200])
  await query(
    app.databaseUrl,
    `insert into trials select gen_random_uuid(), product_id, 'h', tier_id, customer_id, id, now() from licenses limit 1;
    insert into usage_counts values ('s', 'k', now(), 1);
    insert into envelopes select gen_random_uuid(), id, 'kid', 't', null, null, now(), null, 1, 'adm' from licenses limit 1;
    insert into offline_activations select gen_random_uuid(), id, gen_random_uuid(), 'n', 'none', 'none', gen_random_uuid(),
      now(), now(), now(), 'adm' from licenses limit 1;
    insert into license_notices select id, now(), 'expired', now() from licenses limit 1;
    insert into forgotten_seats values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now());
    insert into relays (id, customer_id, name, key_hash, created_at) select gen_random_uuid(), id, 'r', 'secret-relay-hash', now() from customers limit 1;
    insert into relay_allotments select r.id, l.id, 1, 9007199254740993, 1, null, 0, null, now() from relays r, licenses l limit 1;
    insert into relay_leases select id, gen_random_uuid(), gen_random_uuid(), 1, now(), now(), false, now() from relays;
    insert into telemetry_sums (product_id, metric, grain, dimension, bucket, value, samples, samples_verified, increase,
      increase_verified, gauge_sum, gauge_sum_verified, instances, instances_verified)
      select id, m, 'day', 'all', now(), '', 1, 1, 0.1, 1e-300, 1, 1, 1, 1 from products, unnest(array['b', 'a', 'B', '_']) m;
    insert into telemetry_presence values (gen_random_uuid(), '2026-01-01', array[9223372036854775807, -1]);
    insert into telemetry_versions select id, '2026-01-01', 'é', true from products`,
  )
}

beforeAll(async () => {
  app = await startTestApp()
  world = await createWorld(app)
  await ensurePartitions(app.services.db, app.clock.now())
  masterKey = Buffer.from(app.services.masterKey).toString('base64')
  folder = await temporaryFolder('leasehold-transfer-')
  await fill()
})
afterAll(async () => {
  await app.stop()
  await place.clear()
  for (const clone of clones) await clone.drop()
  await rm(folder, { recursive: true })
})

describe('what is exported and imported', () => {
  test('is every table but those that say why not', async () => {
    const found = await query(
      app.databaseUrl,
      `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
        and not relispartition order by 1`,
    )
    expect(found.map(({ name }) => name)).toEqual([...tableNames(), ...NEVER_EXPORTED].sort())
  })

  test('comes out again byte for byte, secrets and reports too', async () => {
    const options = ['--with-secrets', '--with-reports']
    const first = await spawned(['export', at('full.jsonl'), ...options], '', settings(app.databaseUrl))
    expect([first.code, first.out]).toEqual([0, ''])
    expect((await stat(at('full.jsonl'))).mode & 0o777).toBe(0o600)
    const text = await readFile(at('full.jsonl'), 'utf8')
    const header = JSON.parse(text.split('\n', 1)[0] ?? '')
    expect(header.tables.filter(({ rows }: { rows: number }) => rows === 0)).toEqual([])
    expect(header.tables.map(({ table }: { table: string }) => table)).toEqual(tableNames())
    const url = await emptyDatabase()
    const imported = await spawned(['import', at('full.jsonl')], '', settings(url))
    expect([imported.code, imported.err]).toEqual([
      0,
      expect.stringMatching(/Imported \d+ rows\. Start the server/),
    ])
    const again = await leasehold(['export', '-', ...options], url)
    expect(again.out === text).toBe(true)
  })

  test('has no secret unless it was asked for, and gives a server with new signing keys', async () => {
    const { out, err } = await leasehold(['export', '-'], app.databaseUrl)
    expect(err).toContain('nobody has a credential')
    const hashes = await query(
      app.databaseUrl,
      `select hash as secret from api_keys union select hash from license_keys union select hash from admin_keys
        union select token_hash from instances where token_hash is not null union select key_hash from relays
        union select sealed_private_key from signing_keys union select sealed from server_secrets`,
    )
    expect(hashes.length).toBeGreaterThan(6)
    expect(hashes.filter(({ secret }) => out.includes(String(secret)))).toEqual([])
    const url = await emptyDatabase()
    expect((await leasehold(['import', '-'], url, out)).code).toBe(0)
    expect((await leasehold(['export', '-'], url)).out === out).toBe(true)
    const [keys] = await query(
      url,
      'select count(*)::int as n, count(distinct use)::int as uses from signing_keys',
    )
    expect(keys).toEqual({ n: 3, uses: 3 })
    expect(await query(url, 'select 1 from admin_keys union select 1 from api_keys')).toEqual([])
  })

  test('without secrets fills a new data folder, where a new admin key opens everything', async () => {
    expect((await leasehold(['export', at('bare.jsonl')], app.databaseUrl)).code).toBe(0)
    const dataDir = await place.dataDir()
    const env = { LEASEHOLD_DATA_DIR: dataDir }
    const imported = await inProcess(['import', at('bare.jsonl')], '', env)
    expect(imported).toMatchObject({
      code: 0,
      err: expect.stringContaining('admin-keys create --role owner'),
    })
    const made = await inProcess(['admin-keys', 'create', '--role', 'owner'], '', env)
    expect(made.code).toBe(0)
    const server = await place.start({ dataDir, env: { LEASEHOLD_DEMO: 'false' } })
    const customers = await caller(server.url)('GET', '/api/v1/admin/customers', { bearer: made.out.trim() })
    expect([customers.status, customers.body.length]).toEqual([200, 3])
    const beside = await inProcess(['admin-keys', 'list'], '', env)
    expect(beside.out.split('\n').filter((line) => line.includes('owner'))).toHaveLength(1)
    await server.stop()
  }, 60_000)

  test('holds the reports that no sum holds yet, and others on request', async () => {
    const reportsIn = ({ out }: Outcome) =>
      out.split('\n').filter((line) => line.startsWith('{"table":"reports"'))
    const all = reportsIn(await leasehold(['export', '-', '--with-reports'], app.databaseUrl)).length
    expect(all).toBeGreaterThan(0)
    await query(
      app.databaseUrl,
      `insert into reports (instance_key, received_on, id, product_id, kind, proof, received_at, observed_at, metrics,
        increases, features, summed)
        select instance_key, received_on, gen_random_uuid(), product_id, kind, proof, received_at, observed_at, metrics,
          increases, features, true from reports`,
    )
    const unsummed = await leasehold(['export', '-'], app.databaseUrl)
    expect(reportsIn(unsummed)).toHaveLength(all)
    expect(reportsIn(unsummed).every((line) => line.includes('"summed":false'))).toBe(true)
    expect(reportsIn(await leasehold(['export', '-', '--with-reports'], app.databaseUrl))).toHaveLength(
      2 * all,
    )
    const url = await emptyDatabase()
    expect((await leasehold(['import', '-'], url, unsummed.out)).code).toBe(0)
    expect(await query(url, 'select 1 from reports where not summed')).toHaveLength(all)
  })

  test('is not written over a file, nor half of it', async () => {
    await writeFile(at('there'), 'x')
    const { code, err } = await leasehold(['export', at('there')], app.databaseUrl)
    expect([code, err]).toEqual([1, expect.stringContaining('is there already')])
    expect((await leasehold(['export', at('away/x')], app.databaseUrl)).code).toBe(1)
  })
})

describe('an import', () => {
  let lines: string[]
  let empty: string
  beforeAll(async () => {
    lines = (await readFile(at('full.jsonl'), 'utf8')).trimEnd().split('\n')
    empty = await emptyDatabase()
  })

  const refused = async (changed: string, expected: RegExp, key = masterKey) => {
    const { code, err } = await leasehold(['import', '-'], empty, changed, key)
    expect([code, err]).toEqual([1, expect.stringMatching(expected)])
    expect(await query(empty, 'select 1 from products union all select 1 from admin_keys')).toEqual([])
  }

  test('refuses a file that was cut off, with its line', async () => {
    await refused(`${lines.slice(0, 20).join('\n')}\n`, /^Line 21: .*cut off/)
    await refused(lines.slice(0, 20).join('\n').slice(0, -3), /^Line 20: .*cut off/)
  })

  test('refuses a file that was changed, or has a line too many or too few', async () => {
    const row = lines.findIndex((line) => line.includes('"Ada"'))
    const changed = lines.with(row, (lines[row] ?? '').replace('Ada', 'Eve'))
    await refused(`${changed.join('\n')}\n`, new RegExp(`^Line ${lines.length}: .*changed`))
    const last = lines.length - 2
    await refused(`${lines.toSpliced(last, 1).join('\n')}\n`, /^Line \d+: .*rows/)
    await refused(`${lines.join('\n')}\nmore\n`, /^Line \d+: it comes after/)
    await refused(
      `${lines.with(row, '{"x":').join('\n')}\n`,
      new RegExp(`^Line ${row + 1}: it is not a JSON`),
    )
    const twice = lines.toSpliced(row, 0, lines[row] ?? '')
    await refused(`${twice.join('\n')}\n`, new RegExp(`^Line ${row + 2}: .*23505, customers_pkey`))
  })

  test('refuses what a newer version wrote, and what is no export', async () => {
    const header = JSON.parse(lines[0] ?? '')
    const newer = (change: object) =>
      `${lines.with(0, JSON.stringify({ ...header, ...change })).join('\n')}\n`
    await refused(newer({ leasehold_export: 2 }), /^Line 1: it has format 2/)
    await refused(newer({ schema: 999 }), /^Line 1: it has schema 999/)
    await refused(newer({ tables: [{ table: 'wishes', rows: 0, columns: ['id'] }] }), /knows no table wishes/)
    await refused('{"a":1}\n', /^Line 1: this is no export/)
    await refused('', /^Line 1: /)
  })

  test('refuses keys that its master key does not open', async () => {
    await refused(
      `${lines.join('\n')}\n`,
      /do not open with the master key/,
      randomBytes(32).toString('base64'),
    )
  })

  test('refuses a server that is at work, and one that is not empty', async () => {
    const running = await leasehold(['import', at('full.jsonl')], app.databaseUrl)
    expect([running.code, running.err]).toEqual([1, expect.stringContaining('Stop every server')])
    const url = clones[0]?.url ?? ''
    const full = await leasehold(['import', at('full.jsonl')], url)
    expect([full.code, full.err]).toEqual([
      1,
      expect.stringMatching(/not empty: it has rows in admin_keys, products/),
    ])
  })

  test('that is killed in the middle leaves an empty server, and can be made again', async () => {
    const child = spawn(process.execPath, [PROGRAM, 'import', '-'], {
      env: { DATABASE_URL: empty, LEASEHOLD_MASTER_KEY: masterKey },
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    child.stdin.on('error', () => {})
    child.stdin.write(`${lines.slice(0, -2).join('\n')}\n`)
    const atWork = `select 1 from pg_stat_activity where datname = current_database() and application_name = 'leasehold'
      and state = 'idle in transaction' and query ilike 'insert into%'`
    await until(async () => (await query(empty, atWork)).length > 0, 30_000)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await until(async () => (await query(empty, atWork)).length === 0)
    expect(await query(empty, 'select 1 from products union all select 1 from customers')).toEqual([])
    expect((await leasehold(['import', at('full.jsonl')], empty)).code).toBe(0)
  })
})
