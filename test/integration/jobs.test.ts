import { sql } from 'drizzle-orm'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import {
  connectDatabase,
  type Database,
  type DatabaseConnection,
  type Transaction,
} from '../../src/db/client.ts'
import type { Ctx, Services } from '../../src/domain/kernel/context.ts'
import { referenceCache } from '../../src/domain/reference/reference-cache.ts'
import { clockGuard, guardKeyring, guardRootKey } from '../../src/domain/signing/clock-guard.ts'
import { keyringCache } from '../../src/domain/signing/keyring.ts'
import { measureSkew } from '../../src/domain/signing/measure-skew.ts'
import type { Job } from '../../src/jobs/job.ts'
import { backgroundJobs } from '../../src/jobs/list.ts'
import { deleteExpired } from '../../src/jobs/retention.ts'
import { runDueJobs } from '../../src/jobs/run-due-jobs.ts'
import { generateKeyPair, openRootKey } from '../../src/mint/keys.ts'
import { randomBytes } from '../../src/platform/random.ts'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'
import { silentLog } from '../support/silent-log.ts'
import { type VirtualClock, virtualClock } from '../support/virtual-clock.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const DAY = 86_400 * SECOND
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
      offlineLease: 31_622_400,
      staleAfter: 172_800,
      heartbeatInterval: 21_600,
      refreshInterval: 43_200,
      actionBudget: { perKey: 20, inAll: 100 },
    },
    keyring: keyringCache(db, masterKey, clock),
    reference: referenceCache({ masterKey, clock }),
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

  test.each([
    ['a lock timeout', `set local lock_timeout = 50; lock table audit_log`, '55P03'],
    ['a statement timeout', `set local statement_timeout = 50; select pg_sleep(60)`, '57014'],
  ])('that ends with %s has failed; the database is not away', async (_, text, code) => {
    const held = Promise.withResolvers<void>()
    const locked = Promise.withResolvers<void>()
    const holding = db.transaction(async (tx) => {
      await tx.execute(sql`lock table audit_log`)
      locked.resolve()
      await held.promise
    })
    await locked.promise
    const slow = job('slow', 900, () => db.transaction((tx) => tx.execute(sql.raw(text)).then(() => {})))
    expect(await round([slow, job('fine', 60)])).toEqual(['slow', 'fine'])
    expect((await lease('slow'))?.last_error).toContain(code)
    expect(await lease('fine')).toMatchObject({ last_error: null })
    held.resolve()
    await holding
  })

  test('that ends in a deadlock has failed; the database is not away', async () => {
    await db.execute(sql`
      insert into server_secrets (name, sealed, created_at) values ('a', '', now()), ('b', '', now())`)
    const hold = (tx: Transaction, name: string) =>
      tx.execute(sql`update server_secrets set sealed = 'x' where name = ${name}`)
    const locked = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const other = db.transaction(async (tx) => {
      // Not the one that Postgres ends.
      await tx.execute(sql`set local deadlock_timeout = '30s'`)
      await hold(tx, 'a')
      locked.resolve()
      await asked.promise
      await hold(tx, 'b')
    })
    await locked.promise
    const clashing = job('clashing', 900, () =>
      db.transaction(async (tx) => {
        await tx.execute(sql`set local deadlock_timeout = '10ms'`)
        await hold(tx, 'b')
        asked.resolve()
        await expect
          .poll(async () => (await db.execute(sql`select 1 from pg_locks where not granted`)).length)
          .toBe(1)
        await hold(tx, 'a')
      }),
    )
    expect(await round([clashing, job('fine', 60)])).toEqual(['clashing', 'fine'])
    expect((await lease('clashing'))?.last_error).toContain('40P01')
    await other
  })

  test('whose lease row somebody holds does not keep the others', async () => {
    await round([job('held', 0), job('fine', 0)])
    const done = Promise.withResolvers<void>()
    const locked = Promise.withResolvers<void>()
    const holding = db.transaction(async (tx) => {
      await tx.execute(sql`select 1 from job_leases where name = 'held' for update`)
      locked.resolve()
      await done.promise
    })
    await locked.promise
    ran = []
    await round([job('held', 0), job('fine', 0)])
    expect(ran).toEqual(['fine'])
    done.resolve()
    await holding
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

describe('the list of jobs', () => {
  const jobs = () =>
    backgroundJobs({
      reports: 90 * 86_400,
      audit: 730 * 86_400,
      events: 90 * 86_400,
      telemetryHourly: 90 * 86_400,
      telemetryDaily: 730 * 86_400,
    })
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

describe('telemetry', () => {
  test('is kept by the hour and by the day for as long as their settings say', async () => {
    const at = (days: number) => new Date(clock.now().getTime() - days * DAY).toISOString()
    for (const [grain, days] of [
      ['hour', 91],
      ['hour', 89],
      ['day', 731],
      ['day', 729],
    ] as const) {
      await db.execute(sql`
        insert into telemetry_sums (product_id, metric, grain, dimension, bucket, value, samples, samples_verified,
          increase, increase_verified, gauge_sum, gauge_sum_verified, instances, instances_verified)
        values (gen_random_uuid(), 'm', ${grain}, 'all', ${at(days)}, '', 1, 0, 0, 0, 0, 0, 1, 0)`)
    }
    for (const day of [at(46).slice(0, 10), at(44).slice(0, 10)]) {
      await db.execute(sql`
        insert into telemetry_presence (instance_key, day, marks) values (gen_random_uuid(), ${day}, '{1}')`)
      await db.execute(sql`
        insert into telemetry_versions (product_id, day, version, verified)
        values (gen_random_uuid(), ${day}, '1', false)`)
    }
    const retention = { audit: DAY, events: DAY, telemetryHourly: 90 * 86_400, telemetryDaily: 730 * 86_400 }
    expect(await deleteExpired(ctx, retention, never)).toMatchObject({
      hourly_sums: 1,
      daily_sums: 1,
      telemetry_marks: 1,
      telemetry_versions: 1,
    })
    const left = await db.execute(sql`select grain, bucket from telemetry_sums order by 1`)
    expect(left.map(({ grain }) => grain)).toEqual(['day', 'hour'])
    expect(await deleteExpired(ctx, retention, never)).toBeNull()
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
      const publish = backgroundJobs({
        reports: 1,
        audit: 1,
        events: 1,
        telemetryHourly: 1,
        telemetryDaily: 1,
      }).find(({ name }) => name === 'key_set')
      guard.measured(skew)
      await expect(publish?.run(guarded, never)).rejects.toMatchObject({ code: 'clock_skew' })
      const keyring = await guarded.keyring.current()
      expect(() => keyring.signer('keldris', 'license', clock.now())).toThrow(
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
