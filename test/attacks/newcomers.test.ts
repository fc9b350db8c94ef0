// Strangers who register without end: how many one address and one product take, and who leaves again (T9, T11).
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ensurePartitions } from '../../src/db/partitions.ts'
import { boundNewcomers, NEWCOMERS_PER_ADDRESS } from '../../src/domain/fleet/newcomers.ts'
import { removeSilentInstances } from '../../src/domain/instances/remove-silent.ts'
import { tokenBuckets } from '../../src/platform/rate-limit.ts'
import { type Answer, startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { virtualClock } from '../support/virtual-clock.ts'
import { createWorld, type World } from '../support/world.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** In place of 100,000: only the number differs. */
const MOST_UNPROVEN = 100
/** In place of 300. */
const PER_ADDRESS = 30
const limitClock = virtualClock()
let app: TestApp
let world: World
let peer = '192.0.2.1'

beforeAll(async () => {
  app = await startTestApp({
    newcomers: boundNewcomers(tokenBuckets(limitClock, PER_ADDRESS, HOUR), MOST_UNPROVEN),
    dependencies: { peerAddress: () => peer },
  })
  world = await createWorld(app, { instanceAuth: 'open', license: { seat_limit: null } })
  // The first of all counts the product.
  await register('crowd-0')
  // Makes the day's partition, which many at once would wait for.
  await ensurePartitions(app.services.db, app.clock.now())
})
afterAll(() => app.stop())

const register = (instance_id: string, bearer?: string) =>
  app.call('POST', '/api/v1/instances/register', { bearer, body: { instance_id, product: 'keldris' } })
const beat = (instance_id: string, bearer?: string) =>
  app.call('POST', '/api/v1/instances/heartbeat', {
    bearer,
    body: {
      instance_id,
      product: 'keldris',
      reported_tier: 'free',
      has_valid_entitlement: false,
      metrics: {},
    },
  })
const many = async (count: number, call: (i: number) => ReturnType<typeof register>) =>
  Promise.all(Array.from({ length: count }, (_, i) => call(i)))
const unproven = async () => {
  const [row] = await query(
    app.databaseUrl,
    'select count(*)::int as n from instances where proven_license_id is null',
  )
  return Number(row?.n)
}

describe('one address', () => {
  test('brings so many new instances an hour without proof, however many it tries at once, by any route', async () => {
    expect(NEWCOMERS_PER_ADDRESS).toBe(300)
    limitClock.advance(HOUR)
    const answers = await many(PER_ADDRESS + 20, (i) => (i % 2 ? register : beat)(`crowd-${i + 1}`))
    const refused = answers.filter(({ status }) => status === 429)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(PER_ADDRESS)
    expect(refused).toHaveLength(20)
    expect(await unproven()).toBe(PER_ADDRESS + 1)
    expect(refused[0]?.body).toMatchObject({
      error: 'rate_limited',
      reason: 'new_instances',
      limit: PER_ADDRESS,
    })
    expect(refused[0]?.body.fix).toContain('Prove a license')
    expect(refused[0]?.headers.get('Retry-After')).toBe('120')
  })

  test('is still heard for those that it brought', async () => {
    expect((await beat('crowd-0')).status).toBe(200)
    expect((await register('crowd-1')).status).toBe(200)
  })

  test('brings as many as it likes with a proof of license', async () => {
    expect((await register('proven-1', world.apiKey)).status).toBe(200)
    const { jwt } = (
      await app.call('POST', '/api/v1/licenses/token', {
        bearer: world.apiKey,
        body: { instance_id: 'proven-2', version: '1' },
      })
    ).body
    expect((await beat('proven-2', jwt)).status).toBe(200)
    const activated = await app.call('POST', '/api/v1/licenses/activate', {
      body: { instance_id: 'proven-3', product: 'keldris', license_key: world.licenseKey },
    })
    expect(activated.body.status).toBe('active')
  })

  test('brings others after a while, and another address does at once', async () => {
    expect((await register('late')).status).toBe(429)
    limitClock.advance(120_000)
    expect((await register('late')).status).toBe(200)
    expect((await register('later')).status).toBe(429)
    peer = '192.0.2.2'
    expect((await register('elsewhere')).status).toBe(200)
  })

  test('is a whole /64 where it is IPv6', async () => {
    peer = '2001:db8::1'
    await many(PER_ADDRESS, () => register('same'))
    expect((await register('six-1')).status).toBe(200)
    peer = '2001:db8::ffff:2'
    const before = await unproven()
    expect((await register('six-2')).status).toBe(200)
    expect(await unproven()).toBe(before + 1)
  })
})

describe('a license key that grants nothing', () => {
  const activate = (instance_id: string, license_key: string) =>
    app.call('POST', '/api/v1/licenses/activate', {
      body: { instance_id, product: 'keldris', license_key, nonce: 'n0nce_n0nce_n0nce-1' },
    })
  const seen = async (text: string) => (await app.admin('GET', `/instances?text=${text}`)).body

  test('brings as many new instances as a stranger, none verified, and each hears its signed refusal', async () => {
    peer = '192.0.2.77'
    const dead = await world.another({ seat_limit: null })
    await app.admin('POST', `/license-keys/${dead.licenseKeyId}/revoke`)
    const answers = await many(PER_ADDRESS + 20, (i) => activate(`dead-${i}`, dead.licenseKey))
    for (const { status, body } of answers) {
      expect([status, body.reason, typeof body.directive]).toEqual([200, 'license_key_revoked', 'string'])
    }
    const known = await query(
      app.databaseUrl,
      `select instance_id, proof from instances where instance_id like 'dead-%'`,
    )
    expect(known).toHaveLength(PER_ADDRESS)
    expect(new Set(known.map(({ proof }) => proof))).toEqual(new Set(['none']))
    expect((await beat(String(known[0]?.instance_id))).status).toBe(200)
    expect((await activate(String(known[0]?.instance_id), dead.licenseKey)).body.reason).toBe(
      'license_key_revoked',
    )
    // Whoever has a license is not kept out by it.
    expect((await activate('proven-3', world.licenseKey)).body.status).toBe('active')
  })

  test('shows an instance without a seat to the admin as one that has proven nothing', async () => {
    peer = '192.0.2.78'
    const full = await world.another({ seat_limit: 1 })
    expect((await activate('seated', full.licenseKey)).body.status).toBe('active')
    const denied = (await activate('standing', full.licenseKey)).body
    expect(denied).toMatchObject({ reason: 'instance_limit_reached', directive: expect.any(String) })
    expect(await seen('standing')).toMatchObject([{ proof: 'none', verified: false }])
    expect((await beat('standing', denied.instance_token)).status).toBe(200)
    // One that the license has proven before is no stranger to it.
    await app.admin('POST', `/licenses/${full.licenseId}/suspend`)
    expect((await activate('seated', full.licenseKey)).body.status).toBe('revoked')
    expect(await seen('seated')).toMatchObject([{ proof: 'license', verified: true }])
  })

  test('is no better as an API key at registering, until the license is in force again', async () => {
    peer = '192.0.2.79'
    const held = await world.another({ seat_limit: null })
    await register('of-held', held.apiKey)
    await app.admin('POST', `/licenses/${held.licenseId}/suspend`)
    const before = await unproven()
    expect((await register('of-held', held.apiKey)).status).toBe(200)
    expect(await seen('of-held')).toMatchObject([{ proof: 'license' }])
    for (const _ of [1, 2]) expect((await register('of-none', held.apiKey)).status).toBe(200)
    expect(await seen('of-none')).toMatchObject([{ proof: 'none', verified: false }])
    expect(await unproven()).toBe(before + 1)
    await app.admin('POST', `/licenses/${held.licenseId}/reinstate`)
    expect((await register('of-none', held.apiKey)).status).toBe(200)
    expect(await seen('of-none')).toMatchObject([{ proof: 'license', verified: true }])
    expect(await unproven()).toBe(before)
    // Has the product counted again, once.
    app.clock.advance(60_000)
    await register('counted')
  })
})

describe('a product', () => {
  test('holds no more unproven instances than its bound, and counts them without counting each time', async () => {
    const room = MOST_UNPROVEN - (await unproven())
    expect(room).toBeGreaterThan(20)
    const answers: Answer[] = []
    for (let from = 0; from < room + 20; from += 10) {
      peer = `198.51.100.${from}`
      const group = Math.min(10, room + 20 - from)
      answers.push(...(await many(group, (i) => register(`flood-${from + i}`))))
    }
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused).toHaveLength(20)
    expect(refused[0]?.body).toMatchObject({ error: 'too_many_unproven', limit: MOST_UNPROVEN })
    expect(refused[0]?.headers.get('Retry-After')).toBe('3600')
    expect(await unproven()).toBe(MOST_UNPROVEN)
  })

  test('takes proven ones all the same, and unproven ones of another product', async () => {
    expect((await register('proven-4', world.apiKey)).status).toBe(200)
    await createWorld(app, { product: 'other' })
    peer = '198.51.100.251'
    const other = await app.call('POST', '/api/v1/instances/register', {
      body: { instance_id: 'other-1', product: 'other' },
    })
    expect(other.status).toBe(200)
  })
})

describe('the job', () => {
  const run = () => removeSilentInstances(app.ctx, new AbortController().signal)
  const known = async () => {
    const rows = await query(app.databaseUrl, 'select instance_id from instances order by instance_id')
    return rows.map((row) => row.instance_id)
  }

  test('removes who was silent for 30 days and has no license, with streams and anomalies, in batches', async () => {
    app.clock.advance(DAY)
    const killed = (await app.admin('GET', '/instances?text=flood-0')).body[0]
    await app.admin('POST', `/instances/${killed.id}/action`, { action: 'kill', reason: 'abuse' })
    await query(
      app.databaseUrl,
      `insert into instances (instance_key, product_id, instance_id, metrics, feature_usage, first_seen_at,
         last_seen_at, action, action_seq, proof)
       select gen_random_uuid(), (select id from products where code = 'keldris'), 'old-' || n, '{}', '{}',
         '2026-02-01', '2026-03-02', 'none', 1, 'none' from generate_series(1, 2500) n`,
    )
    await query(
      app.databaseUrl,
      `insert into report_streams (instance_key, boot_id, last_seq, seen, counters, updated_at)
       select instance_key, gen_random_uuid(), 0, '{}', '{}', '2026-03-02' from instances
       where instance_id like 'old-%'`,
    )
    expect(await run()).toBeNull()
    app.clock.advance(30 * DAY)
    await beat('crowd-0')
    const before = (await known()).length
    const gone = await run()
    const left = await known()
    expect(gone).toEqual({ removed: before - left.length })
    expect(gone?.removed).toBeGreaterThan(2500)
    expect(left).toEqual(
      [
        'crowd-0',
        'flood-0',
        'proven-1',
        'proven-2',
        'proven-3',
        'proven-4',
        'seated',
        'of-held',
        'of-none',
      ].sort(),
    )
    const orphans = await query(
      app.databaseUrl,
      `select 1 from report_streams s where not exists (select from instances i where i.instance_key = s.instance_key)
       union all
       select 1 from anomalies s where not exists (select from instances i where i.instance_key = s.instance_key)`,
    )
    expect(orphans).toEqual([])
    expect(await run()).toBeNull()
  })

  test('leaves room: a product that was full takes newcomers again', async () => {
    peer = '203.0.113.1'
    app.clock.advance(60_000)
    expect((await register('new-again')).status).toBe(200)
  })
})
