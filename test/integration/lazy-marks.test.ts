// Columns that a job moves, so that what a heartbeat or a refresh writes is in no index.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findStaleInstances } from '../../src/domain/anomalies/find-stale.ts'
import { markLapsedSeats } from '../../src/domain/rights/mark-lapsed.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { createWorld, type World } from '../support/world.ts'

const DAY = 86_400_000
let app: TestApp
let world: World
beforeAll(async () => {
  app = await startTestApp({ startAt: '2026-03-01T12:00:00Z' })
  world = await createWorld(app)
})
afterAll(() => app.stop())

const heartbeat = (instance_id: string, metrics = {}) =>
  app.call('POST', '/api/v1/instances/heartbeat', {
    body: { instance_id, product: 'keldris', reported_tier: 'free', has_valid_entitlement: false, metrics },
  })
const activate = (instance_id: string) =>
  app.call('POST', '/api/v1/licenses/activate', {
    body: { instance_id, product: 'keldris', license_key: world.licenseKey },
  })
const never = new AbortController().signal

test('no index holds a column that each heartbeat or refresh writes, in its predicate neither', async () => {
  const written = [
    'last_seen_at',
    'metrics',
    'feature_usage',
    'lineage',
    'entitlement_hash',
    'updated_at',
    'counters',
    'seen',
    'last_seq',
    'lease_ends_at',
    'lease_issued_at',
  ]
  const indexes = await query(
    app.databaseUrl,
    `select indexname, indexdef from pg_indexes
     where tablename in ('instances', 'activations', 'report_streams') order by 1`,
  )
  expect(indexes.length).toBeGreaterThan(8)
  const holding = indexes.filter(({ indexdef }) =>
    written.some((column) => new RegExp(`\\b${column}\\b`).test(String(indexdef))),
  )
  expect(holding).toEqual([])
})

test('heartbeats of known instances are heap-only updates', async () => {
  for (let n = 0; n < 10; n += 1) await heartbeat(`hot-${n}`)
  const counts = async () => {
    const [row] = await query(
      app.databaseUrl,
      `select pg_stat_force_next_flush(), sum(n_tup_upd)::int as updates, sum(n_tup_hot_upd)::int as hot
       from pg_stat_user_tables where relname in ('instances', 'report_streams')`,
    )
    return { updates: Number(row?.updates), hot: Number(row?.hot) }
  }
  await expect.poll(async () => (await counts()).updates, { timeout: 5_000 }).toBeGreaterThanOrEqual(0)
  const before = await counts()
  for (let round = 0; round < 5; round += 1) {
    app.clock.advance(DAY / 4)
    for (let n = 0; n < 10; n += 1) await heartbeat(`hot-${n}`, { agents: round * n })
  }
  await expect
    .poll(async () => (await counts()).updates - before.updates, { timeout: 15_000 })
    .toBeGreaterThanOrEqual(50)
  const after = await counts()
  expect((after.hot - before.hot) / (after.updates - before.updates)).toBeGreaterThanOrEqual(0.9)
})

test('the job moves the marks of those that were heard, and counts none of them as silent', async () => {
  const marks = () =>
    query(
      app.databaseUrl,
      `select count(*)::int as n from instances where seen_mark = last_seen_at and instance_id like 'hot-%'`,
    )
  expect(await findStaleInstances(app.ctx)).toEqual({ opened: 0, closed: 0 })
  expect((await marks())[0]?.n).toBe(10)
  app.clock.advance(2 * DAY)
  for (let n = 0; n < 9; n += 1) await heartbeat(`hot-${n}`)
  expect(await findStaleInstances(app.ctx)).toEqual({ opened: 1, closed: 0 })
  expect((await marks())[0]?.n).toBe(10)
})

test('a job that is told to stop leaves the rest to the next run', async () => {
  app.clock.advance(3 * DAY)
  expect(await findStaleInstances(app.ctx, AbortSignal.abort())).toEqual({ opened: 0, closed: 0 })
  expect(await findStaleInstances(app.ctx)).toEqual({ opened: 9, closed: 0 })
})

test('a seat whose lease ran out is marked once, and is live again with its next lease', async () => {
  const inUse = async () => (await app.admin('GET', `/licenses/${world.licenseId}`)).body.seats_in_use
  const lapsed = async () => (await query(app.databaseUrl, 'select lapsed from activations'))[0]?.lapsed
  await activate('lapsing')
  expect(await markLapsedSeats(app.ctx, never)).toBeNull()
  expect([await inUse(), await lapsed()]).toEqual([1, false])
  const marks = () =>
    query(app.databaseUrl, 'select lapse_due_at = lease_ends_at as same from activations where not lapsed')
  expect(await marks()).toEqual([{ same: true }])
  await query(app.databaseUrl, `update activations set lease_ends_at = lease_ends_at - interval '1 day'`)
  expect(await marks()).toEqual([{ same: true }])
  app.clock.advance(400 * DAY)
  expect(await inUse()).toBe(0)
  expect(await markLapsedSeats(app.ctx, never)).toEqual({ lapsed: 1 })
  expect(await markLapsedSeats(app.ctx, never)).toBeNull()
  expect([await inUse(), await lapsed()]).toEqual([0, true])
  await query(
    app.databaseUrl,
    `update activations set lease_ends_at = lease_ends_at + interval '1000 days' where lapsed`,
  )
  expect([await inUse(), await lapsed()]).toEqual([1, false])
})
