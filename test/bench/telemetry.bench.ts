// How long a question about 90 days and 1,000,000 reports takes, and what the roll-up of them costs. Asserts nothing
// about time.
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensurePartitions } from '../../src/db/partitions.ts'
import { rollUpReports } from '../../src/domain/telemetry/roll-up.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { createWorld, type World } from '../support/world.ts'

const REPORTS = 1_000_000
const DAYS = 90
const A_DAY = Math.ceil(REPORTS / DAYS)
const INSTANCES = 2_000
const LICENSES = 300
const VERSIONS = 20
const ROUNDS = 15
const DAY = 86_400_000

let app: TestApp
let world: World
beforeAll(async () => {
  app = await startTestApp({ startAt: '2026-03-01T12:00:00Z' })
  world = await createWorld(app)
})
afterAll(() => app.stop())

const print = (line: string) => process.stdout.write(`${line}\n`)
const since = (start: number) => performance.now() - start

test('1,000,000 reports over 90 days, through the real roll-up', { timeout: 3_600_000 }, async () => {
  const { db, clock } = app.services
  const to = clock.now()
  const from = new Date(to.getTime() - DAYS * DAY)
  await ensurePartitions(db, from, to)
  const start = performance.now()
  // Every instance reports at even intervals; a quarter of the reports is unproven. One statement a day: the server
  // ends what takes 30 s.
  for (let day = 0; day < DAYS; day += 1) {
    const received = new Date(from.getTime() + day * DAY).toISOString()
    await db.execute(sql`
      insert into reports (instance_key, received_on, id, product_id, license_id, kind, proof, received_at,
        observed_at, version, tier, metrics, increases, features, rolled_up)
      select md5('i' || i)::uuid, (at at time zone 'UTC')::date, gen_random_uuid(), p.id,
        case when i % ${LICENSES}::int = 0 then null else md5('l' || i % ${LICENSES}::int)::uuid end, 'heartbeat',
        case when n % 4 = 0 then 'none' else 'instance' end, at, at,
        '1.' || (i + ${Math.floor(day / 10)}::int) % ${VERSIONS}::int,
        (array['free', 'pro', 'enterprise'])[1 + i % 3],
        jsonb_build_object('agent_count', n % 50, 'queries_total', n),
        jsonb_build_object('queries_total', n % 1000), '{}', true
      from products p, generate_series(1, ${A_DAY}::int) n,
        lateral (select n % ${INSTANCES}::int as i,
          ${received}::timestamptz + n * interval '1 day' / ${A_DAY}::int as at) t
      where p.code = ${world.product}`)
  }
  print(`reports written in ${Math.round(since(start) / 1000)} s`)
  const rolling = performance.now()
  const done = await rollUpReports(app.ctx, new AbortController().signal)
  const seconds = since(rolling) / 1000
  expect(done?.reports).toBeGreaterThanOrEqual(REPORTS)
  print(
    `rolled up in ${Math.round(seconds)} s: ${Math.round((done?.reports ?? 0) / seconds)} reports a second`,
  )
  await db.execute(sql`analyze telemetry_sums`)
  for (const table of ['telemetry_sums', 'telemetry_presence', 'telemetry_versions']) {
    const [size] = await db.execute(sql`
      select count(*)::int as rows, pg_size_pretty(pg_total_relation_size(${table}::regclass)) as size
      from ${sql.identifier(table)}`)
    print(`${table}: ${size?.rows} rows, ${size?.size}`)
  }
})

test.each([
  ['day', 90, undefined],
  ['day', 90, 'version'],
  ['day', 90, 'tier'],
  ['day', 60, 'license'],
  ['hour', 31, undefined],
  ['hour', 31, 'version'],
  ['hour', 31, 'tier'],
  ['hour', 3, 'license'],
] as const)('by %s over %i days, grouped by %s', async (bucket, days, groupBy) => {
  const { db, clock } = app.services
  const from = new Date(clock.now().getTime() - (days - 1) * DAY).toISOString()
  const group = groupBy === undefined ? '' : `&group_by=${groupBy}`
  for (const metric of ['queries_total', 'agent_count']) {
    const path = `/telemetry?product=${world.product}&metric=${metric}&bucket=${bucket}${group}&from=${from}`
    const times: number[] = []
    let rows = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const start = performance.now()
      const { status, body } = await app.admin('GET', path)
      times.push(since(start))
      expect(status).toBe(200)
      rows = body.rows.length
    }
    times.sort((a, b) => a - b)
    const [median = 0, worst = 0] = [times[Math.floor(ROUNDS / 2)], times.at(-1)]
    const plan = await db.execute(sql`
      explain select s.* from telemetry_sums s
      where s.product_id = (select id from products where code = ${world.product}) and s.metric = ${metric}
        and s.grain = ${bucket} and s.dimension = ${groupBy ?? 'all'} and s.bucket >= ${from}::timestamptz
      order by s.bucket, s.value limit 20001`)
    print(
      `${metric} by ${bucket}, ${days} days, ${groupBy ?? 'all'}: ${rows} rows, median ${median.toFixed(1)} ms, ` +
        `slowest ${worst.toFixed(1)} ms; ${plan.map((line) => String(line['QUERY PLAN']).trim()).find((line) => line.includes('telemetry_sums'))}`,
    )
  }
})
