import { parse } from 'csv-parse/sync'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readStats } from '../../src/domain/stats/read-stats.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { countingDatabase } from '../support/counting-database.ts'
import { withRole } from '../support/roles.ts'
import { createWorld, type World } from '../support/world.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
let app: TestApp
let world: World
beforeAll(async () => {
  app = await startTestApp({ startAt: '2026-03-01T12:00:00.500Z' })
  world = await createWorld(app)
})
afterAll(() => app.stop())

const stats = async (query = 'product=keldris') => {
  const { status, body } = await app.admin('GET', `/stats?${query}`)
  expect(status).toBe(200)
  return body
}
const inDays = (days: number, ms = 0) => new Date(app.clock.now().getTime() + days * DAY + ms).toISOString()

interface Beat {
  version?: string
  os?: string
  licenseKey?: string
}

async function appears(instance_id: string, { version = '1.0', os = 'linux', licenseKey }: Beat = {}) {
  const facts = { instance_id, product: 'keldris' }
  const registered = await app.call('POST', '/api/v1/instances/register', {
    body: { ...facts, server_version: version, os },
  })
  if (licenseKey) {
    await app.call('POST', '/api/v1/licenses/activate', { body: { ...facts, license_key: licenseKey } })
  }
  return { ...facts, token: registered.body.instance_token }
}

const idOf = async (instance: string) =>
  (await app.admin('GET', `/instances?instance_id=${instance}`)).body[0].id

test('an empty fleet has its figures, all of them zero', async () => {
  const body = await stats()
  expect(body.instances).toMatchObject({ total: 0, by_version: [], deactivated: 0 })
  expect(body.instances.by_last_seen).toHaveLength(6)
  expect(body.instances.by_license_state.every(({ count }: { count: number }) => count === 0)).toBe(true)
  expect(body.licenses).toMatchObject({ total: 1, trials: 0, perpetual: 0 })
})

test('the fleet is counted by version, tier, os, age, license and proof', async () => {
  const { licenseKey } = await world.another({ tier: 'enterprise', seat_limit: 10 })
  await appears('old', { os: 'windows' })
  app.clock.advance(7 * DAY)
  await appears('week')
  app.clock.advance(47 * HOUR)
  await appears('paid', { version: '2.0', licenseKey })
  const { token } = await appears('proven', { version: '2.0' })
  await app.call('POST', '/api/v1/instances/heartbeat', {
    bearer: token,
    body: {
      instance_id: 'proven',
      product: 'keldris',
      reported_tier: 'free',
      has_valid_entitlement: false,
      metrics: {},
    },
  })
  await appears('gone', { version: '0.1', licenseKey })
  await app.call('POST', '/api/v1/licenses/deactivate', {
    body: { instance_id: 'gone', product: 'keldris', license_key: licenseKey },
  })
  const { instances } = await stats()
  expect(instances).toMatchObject({ total: 4, deactivated: 1 })
  const short = (rows: { value: string | null; count: number }[]) =>
    rows.filter(({ count }) => count > 0).map(({ value, count }) => [value, count])
  expect(short(instances.by_version)).toEqual([
    ['1.0', 2],
    ['2.0', 2],
  ])
  expect(short(instances.by_tier)).toEqual([
    ['free', 3],
    ['enterprise', 1],
  ])
  expect(short(instances.by_os)).toEqual([
    ['linux', 3],
    ['windows', 1],
  ])
  expect(short(instances.by_last_seen)).toEqual([
    ['under_1h', 2],
    ['under_48h', 1],
    ['under_30d', 1],
  ])
  expect(short(instances.by_license_state)).toEqual([
    ['active', 1],
    ['unlicensed', 3],
  ])
  expect(instances.verified).toBe(
    instances.by_proof.reduce(
      (sum: number, { value, count }: { value: string; count: number }) =>
        sum + (value === 'none' ? 0 : count),
      0,
    ),
  )
  expect(instances.by_proof).toContainEqual({ value: 'instance', count: 1, verified: 1 })
})

test('an instance is counted under the state of its best license', async () => {
  const before = (await stats()).instances.by_license_state
  const states = async () => {
    const rows: { value: string; count: number }[] = (await stats()).instances.by_license_state
    const was = new Map(before.map(({ value, count }: { value: string; count: number }) => [value, count]))
    return rows.filter(({ value, count }) => count !== was.get(value)).map(({ value }) => value)
  }
  const short = await world.another({ expires_at: inDays(10), grace_days: 5 })
  await appears('dated', { licenseKey: short.licenseKey })
  expect(await states()).toEqual(['active'])
  const set = (values: ReturnType<typeof sql>) =>
    app.services.db.execute(sql`
      update licenses set ${values} where id = ${short.licenseId.slice(4)}::uuid`)
  await set(sql`expires_at = ${inDays(0, -1000)}::timestamptz`)
  expect(await states()).toEqual(['in_grace'])
  await set(sql`expires_at = ${inDays(-6)}::timestamptz`)
  expect(await states()).toEqual(['expired'])
  await set(sql`status = 'suspended'`)
  expect(await states()).toEqual(['suspended'])
  const other = await world.another()
  await appears('dated', { licenseKey: other.licenseKey })
  expect(await states()).toEqual(['active'])
})

test('actions are outstanding until they are acknowledged', async () => {
  const id = await idOf('week')
  await app.admin('POST', `/instances/${id}/action`, { action: 'kill', reason: 'chargeback' })
  const actions = (await stats()).actions
  expect(actions).toContainEqual({ action: 'kill', set: 1, outstanding: 1 })
  expect((await stats()).instances.by_tier).toContainEqual({ value: null, count: 1, verified: 0 })
  await app.services.db.execute(sql`
    update instances set action_acknowledged_at = now() where instance_id = 'week'`)
  expect((await stats()).actions).toContainEqual({ action: 'kill', set: 1, outstanding: 0 })
})

describe('licenses', () => {
  test('that end soon are counted, and the link lists exactly them', async () => {
    const customer = world.customerId
    await createWorld(app, { product: 'dated' })
    const issue = (days: number, ms = 0) =>
      app.admin('POST', '/licenses', {
        product: 'dated',
        tier: 'pro',
        customer_id: customer,
        expires_at: inDays(days, ms),
        is_trial: days < 2,
      })
    for (const days of [0.5, 1, 6, 13, 29, 59, 61]) await issue(days, -1000)
    await issue(-1)
    const suspended = await issue(3)
    await app.admin('POST', `/licenses/${suspended.body.id}/suspend`, {})
    const { licenses } = await stats('product=dated')
    const counts = licenses.expiring.map((row: { within_days: number; count: number }) => [
      row.within_days,
      row.count,
    ])
    expect(counts).toEqual([
      [60, 6],
      [30, 5],
      [14, 4],
      [7, 3],
      [1, 2],
    ])
    expect(licenses).toMatchObject({ total: 10, trials: 3 })
    expect(licenses.by_state).toEqual([
      { value: 'active', count: 8 },
      { value: 'in_grace', count: 1 },
      { value: 'expired', count: 0 },
      { value: 'suspended', count: 1 },
      { value: 'revoked', count: 0 },
    ])
    for (const { count, href } of licenses.expiring) {
      const { status, body } = await app.call('GET', href, { bearer: app.adminKey })
      expect([status, body.length]).toEqual([200, count])
    }
  })
})

test('as CSV, one line a figure', async () => {
  await appears('evil', { version: '=1+1' })
  const { headers, text } = await app.call('GET', '/api/v1/admin/stats?product=keldris', {
    bearer: app.adminKey,
    headers: { Accept: 'text/csv' },
  })
  expect(headers.get('Content-Type')).toMatch(/^text\/csv/)
  const records: Record<string, string>[] = parse(text, { columns: true })
  const body = await stats()
  expect(records[0]).toMatchObject({
    figure: 'instances',
    value: 'total',
    count: String(body.instances.total),
  })
  expect(records).toContainEqual({
    figure: 'instances_by_version',
    value: "'=1+1",
    count: '1',
    verified: '0',
  })
  expect(records).toContainEqual({ figure: 'actions_set', value: 'kill', count: '1', verified: '' })
})

test('it takes three statements, however large the fleet, and names at most a hundred versions', async () => {
  const counting = countingDatabase(app.databaseUrl, 1)
  try {
    await app.services.db.execute(sql`
      insert into instances (instance_key, product_id, instance_id, version, metrics, feature_usage, first_seen_at,
        last_seen_at, action, action_seq, proof)
      select gen_random_uuid(), p.id, 'many-' || n, 'v' || n, '{}', '{}', now(), now(), 'none', 1, 'none'
      from products p, generate_series(1, 300) n where p.code = 'keldris'`)
    const before = counting.statements.length
    const { fleet } = await readStats({ ...app.ctx, db: counting.db }, { product: 'keldris' })
    expect(counting.statements.length - before).toBe(3)
    const versions = fleet.filter(({ breakdown }) => breakdown === 'version')
    expect(versions).toHaveLength(101)
    expect(versions.find(({ value }) => value === 'other')?.count).toBeGreaterThan(200)
  } finally {
    await counting.close()
  }
})

test('an auditor may read it, of a product that exists', async () => {
  const asAuditor = await withRole(app, 'auditor')
  expect((await asAuditor('GET', '/stats')).body.product).toBeNull()
  expect((await asAuditor('GET', '/stats?product=nothing')).body.error).toBe('product_unknown')
  expect((await app.call('GET', '/api/v1/admin/stats')).status).toBe(401)
})
