import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { connectDatabase, type Database, type DatabaseConnection } from '../../src/db/client.ts'
import { ensurePartitions } from '../../src/db/partitions.ts'
import type { Ctx, Services } from '../../src/domain/context.ts'
import { clockGuard, guardKeyring, guardRootKey } from '../../src/domain/signing/clock-guard.ts'
import { keyringCache } from '../../src/domain/signing/keyring.ts'
import { measureSkew } from '../../src/domain/signing/measure-skew.ts'
import { rollUpReports } from '../../src/domain/telemetry/roll-up.ts'
import type { Job } from '../../src/jobs/job.ts'
import { backgroundJobs } from '../../src/jobs/list.ts'
import { runDueJobs } from '../../src/jobs/run-due-jobs.ts'
import { generateKeyPair, openRootKey } from '../../src/mint/keys.ts'
import { randomBytes } from '../../src/platform/random.ts'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'
import { silentLog } from '../support/silent-log.ts'
import { type VirtualClock, virtualClock } from '../support/virtual-clock.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const DAY = 86_400 * SECOND
const NO_ID = '00000000-0000-0000-0000-000000000000'
const never = new AbortController().signal

const opened: { clone: ClonedDatabase; connection: DatabaseConnection }[] = []
let clock: VirtualClock
let db: Database
let services: Services
let ctx: Ctx
/** What has run, in order. */
let ran: string[]

beforeEach(async () => {
  const clone = await cloneDatabase()
  const connection = connectDatabase(clone.url, { poolSize: 8 })
  opened.push({ clone, connection })
  clock = virtualClock('2026-03-01T12:00:00Z')
  db = connection.db
  const masterKey = randomBytes(32)
  const rootKey = await openRootKey((await generateKeyPair()).privateKey)
  services = {
    db,
    clock,
    random: randomBytes,
    log: silentLog,
    settings: {
      issuer: 'https://license.example.com',
      publicUrl: 'https://license.example.com',
      tokenLife: 86_400,
      entitlementLife: 86_400,
      staleAfter: 172_800,
      heartbeatInterval: 21_600,
      refreshInterval: 43_200,
    },
    keyring: keyringCache(db, masterKey, clock),
    masterKey,
    rootKey,
    rootPublicKeyHex: Buffer.from(rootKey.publicKey).toString('hex'),
    pepper: randomBytes(32),
  }
  ctx = { ...services, actor: { kind: 'system', id: 'test' }, requestId: 'req_test' }
  ran = []
})

afterAll(async () => {
  for (const { clone, connection } of opened) {
    await connection.close()
    await clone.drop()
  }
})

const job = (
  name: string,
  every: number,
  work: (signal: AbortSignal) => Promise<void> = async () => {},
): Job => ({
  name,
  every,
  async run(_ctx, signal) {
    ran.push(name)
    await work(signal)
    return null
  },
})

const round = (jobs: readonly Job[], holder = 'one', signal?: AbortSignal) =>
  runDueJobs(services, jobs, signal ? { holder, signal } : { holder })

const lease = async (name: string): Promise<Record<string, unknown> | undefined> =>
  (await db.execute(sql`select * from job_leases where name = ${name}`))[0]

describe('a job', () => {
  test('runs once an interval, whoever asks how often', async () => {
    const jobs = [job('often', 60), job('seldom', 900)]
    for (let second = 0; second < 1800; second += 5) {
      await round(jobs, second % 2 ? 'one' : 'two')
      clock.advance(5 * SECOND)
    }
    expect(ran.filter((name) => name === 'often')).toHaveLength(30)
    expect(ran.filter((name) => name === 'seldom')).toHaveLength(2)
  })

  test('is run by one of many processes that ask at the same moment', async () => {
    const under = { way: 0, most: 0 }
    const jobs = [
      job('shared', 60, async () => {
        under.most = Math.max(under.most, ++under.way)
        await db.execute(sql`select pg_sleep(0.05)`)
        under.way--
      }),
    ]
    for (let minute = 0; minute < 5; minute++) {
      await Promise.all(Array.from({ length: 8 }, (_, i) => round(jobs, `process ${i}`)))
      clock.advance(MINUTE)
    }
    expect(ran).toHaveLength(5)
    expect(under.most).toBe(1)
  })

  test('whose process died is taken over when the lease has run out, and not before', async () => {
    let die: (reason: Error) => void = () => {}
    const dying = job('held', 60, () => new Promise((_, reject) => (die = reject)))
    const left = round([dying], 'dies')
    await expect.poll(() => ran).toEqual(['held'])
    clock.advance(299 * SECOND)
    await round([job('held', 60)], 'other')
    expect(ran).toEqual(['held'])
    clock.advance(2 * SECOND)
    await round([job('held', 60)], 'other')
    expect(ran).toEqual(['held', 'held'])
    expect(await lease('held')).toMatchObject({ holder: 'other', last_error: null })
    die(new Error('too late'))
    await left
    expect(await lease('held'), 'the late one has nothing to say').toMatchObject({
      holder: 'other',
      last_error: null,
    })
  })

  test('that fails is written down without what the database said, and does not stop the others', async () => {
    const failing = job('failing', 900, async () => {
      await db.execute(
        sql`insert into job_leases (name, holder, leased_until) values ('secret', 'secret', null)`,
      )
    })
    expect(await round([failing, job('fine', 60)])).toEqual(['failing', 'fine'])
    expect(await lease('failing')).toMatchObject({
      last_error: 'database error 23502',
      last_finished_at: null,
    })
    expect(await lease('fine')).toMatchObject({ last_error: null })
  })

  test('that failed is tried again a minute later, not an interval later', async () => {
    let healthy = false
    const jobs = [
      job('moody', 86_400, async () => {
        if (!healthy) throw new Error('not today')
      }),
    ]
    await round(jobs)
    clock.advance(59 * SECOND)
    await round(jobs)
    expect(ran).toHaveLength(1)
    clock.advance(SECOND)
    healthy = true
    await round(jobs)
    expect(ran).toHaveLength(2)
    expect(await lease('moody')).toMatchObject({ last_error: null })
    clock.advance(2 * MINUTE)
    await round(jobs)
    expect(ran).toHaveLength(2)
  })

  test('is told to end when the process stops, and no other is begun', async () => {
    const stop = new AbortController()
    const long = job(
      'long',
      60,
      (signal) => new Promise((done) => signal.addEventListener('abort', () => done())),
    )
    const rounds = round([long, job('next', 60)], 'one', stop.signal)
    await expect.poll(() => ran).toEqual(['long'])
    stop.abort()
    expect(await rounds).toEqual(['long'])
    await round([job('long', 0)], 'other')
    expect(ran, 'the lease was given back').toEqual(['long', 'long'])
  })

  test('that a wrong clock put into the future runs again once the clock is right', async () => {
    clock.advance(400 * DAY)
    await round([job('ahead', 60)])
    clock.set(new Date('2026-03-01T12:00:00Z'))
    await round([job('ahead', 60)])
    expect(ran).toHaveLength(2)
  })
})

describe('the rollup', () => {
  const product = randomUUID()
  const license = randomUUID()

  beforeEach(async () => {
    await db.execute(sql`
      insert into products (id, code, name, instance_auth, limits_claim, metric_map, created_at, updated_at)
      values (${product}, 'keldris', 'Keldris', 'open', 'limits',
        '{"agent_count": {"kind": "gauge"}, "queries_total": {"kind": "counter"}}', now(), now())`)
    await ensurePartitions(db, clock.now())
  })

  interface Given {
    observedAt?: string
    metrics?: Record<string, number>
    increases?: Record<string, number>
    version?: string | null
    tier?: string | null
    licenseId?: string | null
  }

  async function report(given: Given): Promise<void> {
    const { metrics = {}, increases = {}, version = '1.0', tier = 'pro', licenseId = license } = given
    await db.execute(sql`
      insert into reports (instance_key, received_on, id, product_id, license_id, kind, proof, received_at,
        observed_at, version, tier, metrics, increases, features, rolled_up)
      values (${randomUUID()}, ${clock.now().toISOString().slice(0, 10)}, ${randomUUID()}, ${product}, ${licenseId},
        'heartbeat', 'none', ${clock.now().toISOString()}, ${given.observedAt ?? '2026-03-01T11:30:00Z'}, ${version},
        ${tier}, ${JSON.stringify(metrics)}::jsonb, ${JSON.stringify(increases)}::jsonb, '{}', false)`)
  }

  const hourly = async () => [
    ...(await db.execute(sql`
      select metric, to_char(hour at time zone 'UTC', 'DD HH24:MI') as hour, version, tier,
        nullif(license_id, ${NO_ID}::uuid) is not null as licensed, increase, gauge_sum, gauge_max, samples::int
      from telemetry_hourly order by metric, hour, version, tier, licensed`)),
  ]

  test('adds counters by their increase and gauges by sum, highest value and samples', async () => {
    await report({ metrics: { agent_count: 4, queries_total: 100 }, increases: { queries_total: 100 } })
    await report({ metrics: { agent_count: 6, queries_total: 130 }, increases: { queries_total: 30 } })
    await report({ metrics: { agent_count: 5, queries_total: 110 } })
    expect(await rollUpReports(ctx, never)).toEqual({ reports: 3 })
    const where = { hour: '01 11:00', version: '1.0', tier: 'pro', licensed: true }
    expect(await hourly()).toEqual([
      { metric: 'agent_count', ...where, increase: 0, gauge_sum: 15, gauge_max: 6, samples: 3 },
      { metric: 'queries_total', ...where, increase: 130, gauge_sum: 0, gauge_max: 0, samples: 3 },
    ])
  })

  test('keeps hours, versions, tiers and licenses apart', async () => {
    await report({ metrics: { agent_count: 1 }, observedAt: '2026-03-01T10:59:59Z' })
    await report({ metrics: { agent_count: 1 }, observedAt: '2026-03-01T11:00:00Z' })
    await report({ metrics: { agent_count: 1 }, version: '2.0' })
    await report({ metrics: { agent_count: 1 }, tier: 'free', licenseId: null })
    await report({ metrics: { agent_count: 1 }, tier: null, version: null })
    await rollUpReports(ctx, never)
    expect((await hourly()).map((row) => [row.hour, row.version, row.tier, row.licensed])).toEqual([
      ['01 10:00', '1.0', 'pro', true],
      ['01 11:00', '', '', true],
      ['01 11:00', '1.0', 'free', false],
      ['01 11:00', '1.0', 'pro', true],
      ['01 11:00', '2.0', 'pro', true],
    ])
  })

  test('leaves out what the metric map does not name', async () => {
    await report({ metrics: { unheard_of: 5 } })
    expect(await rollUpReports(ctx, never)).toEqual({ reports: 1 })
    expect(await hourly()).toEqual([])
  })

  test('counts each report once, however often and by how many it is run', async () => {
    for (let i = 0; i < 40; i++) await report({ metrics: { agent_count: 1 } })
    await Promise.all([1, 2, 3, 4].map(() => rollUpReports(ctx, never)))
    expect(await rollUpReports(ctx, never)).toBeNull()
    for (let i = 0; i < 2; i++) await report({ metrics: { agent_count: 10 } })
    await rollUpReports(ctx, never)
    expect(await hourly()).toMatchObject([{ gauge_sum: 60, gauge_max: 10, samples: 42 }])
  })

  test('leaves no report behind when there are more than fit in one statement', async () => {
    await db.execute(sql`
      insert into reports (instance_key, received_on, id, product_id, kind, proof, received_at, observed_at, metrics,
        increases, features, rolled_up)
      select gen_random_uuid(), '2026-03-01', gen_random_uuid(), ${product}, 'heartbeat', 'none', now(),
        '2026-03-01T11:00:00Z', '{"queries_total": 2}', '{"queries_total": 2}', '{}', false
      from generate_series(1, 12000)`)
    expect(await rollUpReports(ctx, never)).toEqual({ reports: 12_000 })
    expect(await hourly()).toMatchObject([{ increase: 24_000, samples: 12_000 }])
    expect(await db.execute(sql`select 1 from reports where not rolled_up`)).toHaveLength(0)
  })
})

describe('the list of jobs', () => {
  const jobs = () => backgroundJobs({ reports: 90 * 86_400, audit: 730 * 86_400, events: 90 * 86_400 })
  const partitions = async () =>
    (await db.execute(sql`select relname from pg_class where relname ~ '^reports_[0-9]{8}$' order by 1`)).map(
      (row) => row.relname,
    )

  test('runs from an empty database without a failure', async () => {
    expect(await round(jobs())).toEqual(jobs().map(({ name }) => name))
    expect(await db.execute(sql`select name from job_leases where last_error is not null`)).toHaveLength(0)
  })

  test('has partitions made three days ahead and dropped when their retention is over', async () => {
    await round(jobs())
    expect(await partitions()).toEqual(['01', '02', '03', '04'].map((day) => `reports_202603${day}`))
    clock.advance(91 * DAY)
    await round(jobs())
    expect(await partitions()).toEqual([
      'reports_20260302',
      'reports_20260303',
      'reports_20260304',
      'reports_20260531',
      'reports_20260601',
      'reports_20260602',
      'reports_20260603',
    ])
  })

  test('deletes what was kept long enough, but never the newest event', async () => {
    const old = '2023-01-01T00:00:00Z'
    const fresh = '2026-02-28T00:00:00Z'
    await db.execute(sql`
      insert into audit_log (id, at, actor_kind, actor_id, action, subject, details, request_id)
      select gen_random_uuid(), at, 'system', 'x', 'a', 's', '{}', 'r'
      from (select ${old}::timestamptz as at from generate_series(1, 6000) union all select ${fresh}::timestamptz) t`)
    await db.execute(sql`
      insert into events (number, at, type, subject)
      values (1, ${old}, 'license.changed', 's'), (2, ${old}, 'license.changed', 's')`)
    await db.execute(sql`
      insert into report_streams (instance_key, boot_id, last_seq, seen, counters, updated_at)
      values (gen_random_uuid(), gen_random_uuid(), 1, '{}', '{}', ${old}),
        (gen_random_uuid(), gen_random_uuid(), 1, '{}', '{}', ${fresh})`)
    await db.execute(sql`
      insert into forgotten_seats (instance_key, license_id, seat_id, lease_ends_at)
      values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), ${old}),
        (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '2030-01-01T00:00:00Z')`)
    await round(jobs().filter(({ name }) => name === 'retention'))
    expect(await db.execute(sql`select 1 from forgotten_seats`)).toHaveLength(1)
    expect(await db.execute(sql`select at from audit_log`)).toHaveLength(1)
    expect((await db.execute(sql`select number::int from events`)).map((row) => row.number)).toEqual([2])
    expect(await db.execute(sql`select 1 from report_streams`)).toHaveLength(1)
  })
})

describe('a clock that differs from the database’s (T7)', () => {
  test('is measured against the time the answer took', async () => {
    clock.set(new Date())
    expect(Math.abs(await measureSkew(db, clock))).toBeLessThan(1000)
    clock.advance(75 * SECOND)
    expect(await measureSkew(db, clock)).toBeGreaterThan(74 * SECOND)
    clock.set(new Date(Date.now() - 75 * SECOND))
    expect(await measureSkew(db, clock)).toBeLessThan(-74 * SECOND)
    const slow = {
      monotonic: clock.monotonic,
      now: () => new Date(Date.now() + (asked++ === 0 ? -90 : 90) * SECOND),
    }
    let asked = 0
    expect(await measureSkew(db, slow), 'the answer may have come at any moment in between').toBe(0)
  })

  test.each([60_000, -60_000, 86_400_000])(
    'by %i ms signs nothing, neither grants nor key sets',
    async (skew) => {
      const guard = clockGuard()
      const { rootKey } = services
      if (!rootKey) throw new Error('no root key')
      const guarded = {
        ...ctx,
        keyring: guardKeyring(services.keyring, guard),
        rootKey: guardRootKey(rootKey, guard),
      }
      const publish = backgroundJobs({ reports: 1, audit: 1, events: 1 }).find(
        ({ name }) => name === 'key_set',
      )
      guard.measured(skew)
      await expect(publish?.run(guarded, never)).rejects.toMatchObject({ code: 'clock_skew' })
      const keyring = await guarded.keyring.current()
      expect(() => keyring.signer('keldris', 'jws', clock.now())).toThrow(
        expect.objectContaining({
          code: 'clock_skew',
          facts: expect.objectContaining({ allowed_seconds: 60 }),
        }),
      )
      guard.measured(Math.sign(skew) * 59_999)
      expect(await publish?.run(guarded, never)).toEqual({ number: expect.any(Number) })
    },
  )
})
