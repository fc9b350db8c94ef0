import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { giveNotice } from '../../src/domain/licenses/give-notice.ts'
import { backgroundJobs } from '../../src/jobs/list.ts'
import { runDueJobs } from '../../src/jobs/run-due-jobs.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { countingDatabase } from '../support/counting-database.ts'
import { createWorld, type World } from '../support/world.ts'

const DAY = 86_400_000
const never = new AbortController().signal
let app: TestApp
let world: World
/** The last event before the test. */
let seen: number
beforeAll(async () => {
  app = await startTestApp({ startAt: '2026-03-01T12:00:00Z' })
  world = await createWorld(app, { license: { expires_at: null } })
})
afterAll(() => app.stop())
beforeEach(async () => {
  await give()
  const [row] = await app.services.db.execute<{ last: number }>(sql`
    select coalesce(max(number), 0)::float8 as last from events`)
  seen = row?.last ?? 0
})

const give = () => giveNotice(app.ctx, never)
const inDays = (days: number) => new Date(app.clock.now().getTime() + days * DAY).toISOString()
const issue = async (days: number, more: Record<string, unknown> = {}): Promise<string> => {
  const { status, body } = await app.admin('POST', '/licenses', {
    product: world.product,
    tier: 'pro',
    customer_id: world.customerId,
    expires_at: inDays(days),
    grace_days: 5,
    ...more,
  })
  expect(status).toBe(201)
  return body.id
}

/** What was told of the license during the test: event types in order, with the days of the audit log. */
async function told(id: string): Promise<string[]> {
  const { body: events } = await app.admin('GET', `/events?after=${seen}&limit=200`)
  const { body: audit } = await app.admin('GET', `/audit?subject=${id}&limit=200`)
  const kind = /^license\.(expir|grace)/
  const types = events
    .filter((event: { subject: string; type: string }) => event.subject === id && kind.test(event.type))
    .map((event: { type: string; license_id: string }) => {
      expect(event.license_id).toBe(id)
      return event.type
    })
  const entries = audit.filter(({ action }: { action: string }) => kind.test(action)).reverse()
  expect(entries.map(({ action }: { action: string }) => action)).toEqual(types)
  return entries.map(({ action, details }: { action: string; details: { days?: number } }) =>
    details.days === undefined ? action : `${action} ${details.days}`,
  )
}

test('each notice is given once, at its day', async () => {
  const id = await issue(70)
  const found: [number, string][] = []
  let count = 0
  for (let day = 0; day <= 76; day += 1) {
    await give()
    await give()
    const all = await told(id)
    for (const notice of all.slice(count)) found.push([70 - day, notice])
    count = all.length
    app.clock.advance(DAY)
  }
  expect(found).toEqual([
    [60, 'license.expiring 60'],
    [30, 'license.expiring 30'],
    [14, 'license.expiring 14'],
    [7, 'license.expiring 7'],
    [1, 'license.expiring 1'],
    [-1, 'license.expired'],
    [-6, 'license.grace_ended'],
  ])
})

test('to the second: through its last one a license has not ended', async () => {
  const id = await issue(1.5)
  app.clock.advance(1.5 * DAY)
  await give()
  expect(await told(id)).toEqual(['license.expiring 1'])
  app.clock.advance(1000)
  await give()
  expect(await told(id)).toEqual(['license.expiring 1', 'license.expired'])
})

test('after an outage only the nearest threshold is told, and what has ended', async () => {
  const id = await issue(70)
  app.clock.advance(64 * DAY)
  await give()
  expect(await told(id)).toEqual(['license.expiring 7'])
  app.clock.advance(20 * DAY)
  await give()
  expect(await told(id)).toEqual(['license.expiring 7', 'license.expired', 'license.grace_ended'])
})

test('a license that was issued within a threshold is not told of it', async () => {
  const id = await issue(10)
  const trial = await issue(14, { is_trial: true })
  await give()
  expect([await told(id), await told(trial)]).toEqual([[], []])
  app.clock.advance(3 * DAY)
  await give()
  expect(await told(id)).toEqual(['license.expiring 7'])
})

test('a renewal begins anew, and going back to a former end does not', async () => {
  const id = await issue(65)
  const first = inDays(65)
  app.clock.advance(6 * DAY)
  await give()
  await app.admin('POST', `/licenses/${id}/renew`, { extend_days: 10 })
  await give()
  expect(await told(id)).toEqual(['license.expiring 60'])
  app.clock.advance(10 * DAY)
  await give()
  expect(await told(id)).toEqual(['license.expiring 60', 'license.expiring 60'])
  await app.admin('PATCH', `/licenses/${id}`, { expires_at: first })
  await give()
  expect(await told(id)).toHaveLength(2)
})

test('suspended licenses are told of, revoked and perpetual ones are not', async () => {
  const [suspended, revoked] = [await issue(61), await issue(61)]
  await app.admin('POST', `/licenses/${suspended}/suspend`, {})
  await app.admin('POST', `/licenses/${revoked}/revoke`, {})
  app.clock.advance(2 * DAY)
  await give()
  expect(await told(suspended)).toEqual(['license.expiring 60'])
  expect(await told(revoked)).toEqual([])
  expect(await told(world.licenseId)).toEqual([])
})

test('eight processes that run at once give each notice once, and the job gives it under its lease', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, () => issue(61)))
  app.clock.advance(2 * DAY)
  const runs = await Promise.all(Array.from({ length: 8 }, give))
  expect(runs.reduce((sum, run) => sum + (run?.notices ?? 0), 0)).toBe(20)
  for (const id of ids) expect(await told(id)).toEqual(['license.expiring 60'])
  app.clock.advance(30 * DAY)
  const seconds = 1e9
  const jobs = backgroundJobs({
    ...{
      reports: seconds,
      audit: seconds,
      events: seconds,
      telemetryHourly: seconds,
      telemetryDaily: seconds,
    },
  }).filter(({ name }) => name === 'license_notices')
  const ran = await Promise.all(['one', 'two'].map((holder) => runDueJobs(app.services, jobs, { holder })))
  expect(ran.flat()).toEqual(['license_notices'])
  for (const id of ids) expect(await told(id)).toEqual(['license.expiring 60', 'license.expiring 30'])
})

test('a batch takes as many statements for one license as for six hundred', async () => {
  const counting = countingDatabase(app.databaseUrl, 1)
  const statements = async () => {
    const before = counting.statements.length
    const done = await giveNotice({ ...app.ctx, db: counting.db }, never)
    return { count: counting.statements.length - before, notices: done?.notices }
  }
  try {
    await issue(61)
    app.clock.advance(2 * DAY)
    const one = await statements()
    await app.services.db.execute(sql`
      insert into licenses (id, product_id, tier_id, customer_id, status, status_changed_at, issued_at, expires_at,
        features_added, features_removed, limits, is_trial, metadata, version, created_at, updated_at)
      select gen_random_uuid(), product_id, tier_id, customer_id, 'active', issued_at, issued_at,
        ${inDays(40)}::timestamptz, '{}', '{}', '{}', false, '{}', 1, created_at, updated_at
      from licenses, generate_series(1, 600) where id = ${world.licenseId.slice(4)}::uuid`)
    const many = await statements()
    expect(one.notices).toBeGreaterThan(0)
    expect(many.notices).toBe(600)
    expect(many.count).toBe(2 * one.count)
  } finally {
    await counting.close()
  }
})
