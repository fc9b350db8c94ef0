// The figures of the fleet are sums that a job keeps: they must say what the tables say, whatever happened in between.
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { markLapsedSeats } from '../../src/domain/rights/mark-lapsed.ts'
import { foldFleet } from '../../src/domain/stats/fold-fleet.ts'
import { readStats } from '../../src/domain/stats/read-stats.ts'
import { recountFleet } from '../../src/domain/stats/recount-fleet.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { createWorld, type World } from '../support/world.ts'

const HOUR = 3_600_000
const never = new AbortController().signal
let app: TestApp
let world: World
let licenses: Awaited<ReturnType<World['another']>>[]
beforeAll(async () => {
  app = await startTestApp({ startAt: '2026-03-01T12:00:00Z' })
  world = await createWorld(app)
  licenses = [await world.another({ tier: 'enterprise' }), await world.another({ tier: 'pro' })]
})
afterAll(() => app.stop())

const NAMES = ['a', 'b', 'c', 'd', 'e']
const facts = (n: number) => ({ instance_id: NAMES[n % NAMES.length], product: 'keldris' })
const key = (n: number) => licenses[n % licenses.length]?.licenseKey
const idOf = async (n: number) =>
  (await app.admin('GET', `/instances?instance_id=${facts(n).instance_id}`)).body[0]?.id

/** What may happen to an instance, each by the route or the job that does it. */
const EVENTS: Record<string, (n: number) => Promise<unknown>> = {
  register: (n) =>
    app.call('POST', '/api/v1/instances/register', {
      body: { ...facts(n), server_version: `1.${n % 3}`, os: n % 2 ? 'linux' : 'windows' },
    }),
  heartbeat: (n) =>
    app.call('POST', '/api/v1/instances/heartbeat', {
      body: { ...facts(n), reported_tier: 'free', has_valid_entitlement: false, metrics: {} },
    }),
  activate: (n) =>
    app.call('POST', '/api/v1/licenses/activate', { body: { ...facts(n), license_key: key(n) } }),
  deactivate: (n) =>
    app.call('POST', '/api/v1/licenses/deactivate', { body: { ...facts(n), license_key: key(n) } }),
  act: async (n) => {
    const id = await idOf(n)
    const action = ['none', 'downgrade', 'kill'][n % 3]
    if (id) await app.admin('POST', `/instances/${id}/action`, { action, reason: 'test' })
  },
  delete: async (n) => {
    const id = await idOf(n)
    if (id) await app.admin('DELETE', `/instances/${id}?confirm=killed`)
  },
  wait: async (n) => app.clock.advance(n * HOUR),
  wait_long: async (n) => app.clock.advance((20 + n) * 24 * HOUR),
  fold: () => foldFleet(app.ctx, never),
  lapse: () => markLapsedSeats(app.ctx, never),
}

/** The same figures from the tables alone. */
async function counted() {
  const now = app.clock.now().toISOString()
  const rows = await app.services.db.execute<{ what: string; value: string; n: number }>(sql`
    with held as (
      select a.instance_key, a.lease_ends_at > ${now}::timestamptz as live, t.rank, t.code
      from activations a join licenses l on l.id = a.license_id join tiers t on t.id = l.tier_id
      where a.ended_at is null
    ), fleet as (
      select i.*, case i.action when 'kill' then '' when 'downgrade' then 'free' else coalesce(
        (select h.code from held h where h.instance_key = i.instance_key and h.live order by rank desc limit 1),
        'free') end as tier,
        case when exists (select from held h where h.instance_key = i.instance_key) then 'licensed'
          else 'unlicensed' end as licensed
      from instances i
    )
    select d.what, coalesce(d.value, '') as value, count(*)::int as n from fleet f cross join lateral (values
      ('all', '', true), ('version', version, true), ('os', os, true), ('tier', tier, true),
      ('proof', proof, true), ('licensed', licensed, true), ('action', action, action_set_at is not null)
    ) d(what, value, counts) where d.counts and f.deactivated_at is null group by 1, 2
    union all select 'deactivated', '', count(*)::int from fleet where deactivated_at is not null having count(*) > 0`)
  return new Map(rows.map(({ what, value, n }) => [`${what} ${value}`, Number(n)]))
}

async function read() {
  const { fleet } = await readStats(app.ctx, { product: 'keldris' })
  const sums = new Map<string, number>()
  for (const { breakdown, value, count } of fleet) {
    if (breakdown === 'outstanding' || breakdown === 'last_seen') continue
    const name =
      breakdown === 'license_state'
        ? `licensed ${value === 'unlicensed' ? value : 'licensed'}`
        : `${breakdown} ${value}`
    sums.set(name, (sums.get(name) ?? 0) + Number(count))
  }
  const aged = fleet.filter(({ breakdown }) => breakdown === 'last_seen')
  return { sums, aged: aged.reduce((sum, { count }) => sum + Number(count), 0) }
}

test('they are exact at once, whatever happens to instances, seats and time, folded or not', async () => {
  const event = fc.record({ name: fc.constantFrom(...Object.keys(EVENTS)), n: fc.nat({ max: 11 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 25 }), async (events) => {
      for (const { name, n } of events) await EVENTS[name]?.(n)
      const expected = await counted()
      const { sums, aged } = await read()
      expect(Object.fromEntries(sums)).toEqual(Object.fromEntries(expected))
      expect(aged).toBe(expected.get('all ') ?? 0)
      expect(await recountFleet(app.ctx, never)).toMatchObject({ drift: 0 })
    }),
    { numRuns: 12, endOnFailure: true },
  )
})

test('a fold leaves nothing waiting, and a second one beside it counts nothing twice', async () => {
  for (let n = 0; n < 5; n += 1) await EVENTS.register?.(n)
  await Promise.all([foldFleet(app.ctx, never), foldFleet(app.ctx, never)])
  await foldFleet(app.ctx, never)
  const [left] = await app.services.db.execute(sql`
    select (select count(*) from fleet_changes)::int as changes, (select count(*) from fleet_age_changes)::int as ages`)
  expect(left).toMatchObject({ changes: 0, ages: 0 })
  expect(Object.fromEntries((await read()).sums)).toEqual(Object.fromEntries(await counted()))
  expect(await foldFleet(app.ctx, never)).toBeNull()
})

test('the nightly recount finds what a hand made of the sums, and corrects it', async () => {
  await foldFleet(app.ctx, never)
  const right = await read()
  await app.services.db.execute(sql`update fleet_counts set instances = instances + 7 where facet = 'os'`)
  await app.services.db.execute(sql`delete from fleet_ages`)
  await app.services.db.execute(sql`delete from fleet_facts`)
  expect(await read()).not.toEqual(right)
  expect((await recountFleet(app.ctx, never))?.drift).toBeGreaterThan(2)
  await foldFleet(app.ctx, never)
  expect(await recountFleet(app.ctx, never)).toMatchObject({ drift: 0 })
  expect(await read()).toEqual(right)
})

test('a recount that is stopped corrects nothing', async () => {
  expect(await recountFleet(app.ctx, AbortSignal.abort())).toBeNull()
})

test('what changes neither the last report nor a proof leaves nothing to add to the ages, in whatever order', async () => {
  await app.services.db.execute(sql`
    insert into instances (instance_key, product_id, instance_id, metrics, feature_usage, first_seen_at, last_seen_at,
      action, action_seq, proof)
    select gen_random_uuid(), p.id, 'bulk-' || n, '{}', '{}', now(), now() - n * interval '7 minutes', 'none', 1, 'none'
    from products p, generate_series(1, 3000) n where p.code = 'keldris'`)
  await foldFleet(app.ctx, never)
  const waiting = () => app.services.db.execute(sql`select 1 from fleet_age_changes`)
  await app.services.db.execute(sql`update instances set seen_mark = last_seen_at`)
  expect(await waiting()).toHaveLength(0)
  await app.services.db.execute(sql`update instances set last_seen_at = last_seen_at + interval '1 hour'`)
  expect((await waiting()).length).toBeGreaterThan(0)
  await foldFleet(app.ctx, never)
  expect(await recountFleet(app.ctx, never)).toMatchObject({ drift: 0 })
})
