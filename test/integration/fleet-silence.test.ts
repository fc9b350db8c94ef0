import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findStaleInstances } from '../../src/domain/anomalies/find-stale.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { createWorld } from '../support/world.ts'

const HOUR = 3_600_000
let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ startAt: '2026-03-01T12:00:00Z' })
  await createWorld(app)
  await app.services.db.execute(sql`
    insert into instances (instance_key, product_id, instance_id, metrics, feature_usage, first_seen_at, last_seen_at,
      action, action_seq, proof)
    select gen_random_uuid(), p.id, 'fleet-' || n, '{}', '{}', ${at()}::timestamptz, ${at()}::timestamptz, 'none', 1,
      'none'
    from products p, generate_series(1, 400) n where p.code = 'keldris'`)
})
afterAll(() => app.stop())

const at = () => app.clock.now().toISOString()
const hear = (most: number) =>
  app.services.db.execute(sql`
    update instances set last_seen_at = ${at()}::timestamptz where split_part(instance_id, '-', 2)::int <= ${most}`)
const open = async (type: string) => (await app.admin('GET', `/anomalies?type=${type}&limit=200`)).body
/** The job, each quarter of a day. */
async function pass(hours: number, heard: number) {
  for (let done = 0; done < hours; done += 6) {
    app.clock.advance(6 * HOUR)
    if (heard > 0) await hear(heard)
    await findStaleInstances(app.ctx)
  }
}

test('an outage of three days is one finding, and nobody is accused who comes back', async () => {
  await pass(72, 0)
  const [found, ...others] = await open('fleet_silent')
  expect(others).toEqual([])
  expect(found).toMatchObject({
    instance: null,
    relay: null,
    product: 'keldris',
    severity: 'high',
    verified: false,
    evidence: { alive: 400, heard: 0, within_hours: 24, last_heard_at: '2026-03-01T12:00:00Z' },
  })
  expect(await open('stale_instance')).toEqual([])

  await pass(6, 390)
  expect(await open('fleet_silent')).toEqual([])
  const [closed] = (await app.admin('GET', '/anomalies?type=fleet_silent&state=resolved')).body
  expect(closed).toMatchObject({ id: found.id, resolved_by: 'system', note: 'heard again' })

  await pass(42, 390)
  expect(await open('stale_instance')).toEqual([])
  await pass(12, 390)
  expect(await open('stale_instance')).toHaveLength(10)
})

test('a server that was itself away accuses nobody at its return', async () => {
  app.clock.advance(120 * HOUR)
  expect(await findStaleInstances(app.ctx)).toEqual({ opened: 0, closed: 0 })
  expect(await open('fleet_silent')).toHaveLength(1)
})

test('one that somebody resolves is settled: those that stay away are accused, once they have had their time', async () => {
  const [found] = await open('fleet_silent')
  expect((await app.admin('POST', `/anomalies/${found.id}/resolve`, { note: 'product ended' })).status).toBe(
    200,
  )
  await pass(42, 0)
  expect(await open('stale_instance')).toHaveLength(10)
  await pass(12, 0)
  expect((await open('stale_instance')).length).toBeGreaterThanOrEqual(200)
  expect(await open('fleet_silent')).toEqual([])
})
