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
        observed_at, version, tier, metrics, increases, features)
      select md5('i' || i)::uuid, (at at time zone 'UTC')::date, gen_random_uuid(), p.id,
        case when i % ${LICENSES}::int = 0 then null else md5('l' || i % ${LICENSES}::int)::uuid end, 'heartbeat',
        case when n % 4 = 0 then 'none' else 'instance' end, at, at,
        '1.' || (i + ${Math.floor(day / 10)}::int) % ${VERSIONS}::int,
        (array['free', 'pro', 'enterprise'])[1 + i % 3],
        jsonb_build_object('agent_count', n % 50, 'queries_total', n),
        jsonb_build_object('queries_total', n % 1000), '{}'
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

const NAMES = { json: 'application/json', csv: 'text/csv' } as const

test.each([
  ['day', 90, undefined],
  ['day', 90, 'version'],
  ['day', 90, 'tier'],
  ['day', 90, 'license'],
  ['hour', 31, undefined],
  ['hour', 31, 'version'],
  ['hour', 31, 'tier'],
  ['hour', 31, 'license'],
] as const)('by %s over %i days, grouped by %s', async (bucket, days, groupBy) => {
  const from = new Date(app.clock.now().getTime() - (days - 1) * DAY).toISOString()
  const group = groupBy === undefined ? '' : `&group_by=${groupBy}`
  for (const format of ['json', 'csv'] as const) {
    const times: Record<'first' | 'later', number[]> = { first: [], later: [] }
    const rows: number[] = []
    const cpu = process.cpuUsage()
    let requests = 0
    // Two metrics in turn, a counter and a gauge; of a long series the page after the first one too.
    for (let round = 0; round < 2 * ROUNDS; round += 1) {
      const metric = round % 2 === 0 ? 'queries_total' : 'agent_count'
      const path = `/api/v1/admin/telemetry?product=${world.product}&metric=${metric}&bucket=${bucket}${group}&from=${from}`
      const first = await asked(path, format)
      times.first.push(first.ms)
      rows[0] = first.rows
      requests += 1
      if (first.next === null) continue
      const later = await asked(first.next, format)
      times.later.push(later.ms)
      rows[1] = later.rows
      requests += 1
    }
    const { user, system } = process.cpuUsage(cpu)
    for (const [index, part] of (['first', 'later'] as const).entries()) {
      const sorted = times[part].sort((a, b) => a - b)
      if (sorted.length === 0) continue
      print(
        [
          `${format.padEnd(4)} by ${bucket.padEnd(4)} ${days} days, ${(groupBy ?? 'all').padEnd(7)} ${part.padEnd(5)} page:`,
          `${String(rows[index]).padStart(5)} rows,`,
          `median ${ms(sorted[Math.floor(sorted.length / 2)])}, slowest ${ms(sorted.at(-1))}`,
        ].join(' '),
      )
    }
    print(`     of the processor, outside the database: ${ms((user + system) / 1000 / requests)} a request`)
  }
})

const ms = (value = 0) => `${value.toFixed(1)} ms`.padStart(9)

/** One page, read to its last byte. Not through the tests' own caller, which holds each answer against its contract. */
async function asked(path: string, format: keyof typeof NAMES) {
  const start = performance.now()
  const answer = await fetch(`${app.url}${path}`, {
    headers: { Accept: NAMES[format], Authorization: `Bearer ${app.adminKey}` },
  })
  const text = await answer.text()
  const taken = since(start)
  expect(answer.status).toBe(200)
  const rows = format === 'json' ? JSON.parse(text).rows.length : text.trimEnd().split('\r\n').length - 1
  return { ms: taken, rows, next: /<(.+)>/.exec(answer.headers.get('Link') ?? '')?.[1] ?? null }
}
