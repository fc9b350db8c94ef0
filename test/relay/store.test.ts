import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DirectiveClaims } from '../../src/contract/claims.ts'
import { numbered, ownNumbers } from '../../src/relay/front/own-numbers.ts'
import { type QueueingContext, queueRefresh } from '../../src/relay/front/queueing.ts'
import type { InstanceRequest } from '../../src/relay/front/request.ts'
import type { OpenedRelay } from '../../src/relay/open.ts'
import { type Commits, groupCommits } from '../../src/relay/store/commits.ts'
import { grantStore } from '../../src/relay/store/grants.ts'
import { leaseStore } from '../../src/relay/store/leases.ts'
import { lostAt, openDatabase } from '../../src/relay/store/open.ts'
import { pruning } from '../../src/relay/store/prune.ts'
import { type QueuedReport, reportQueue } from '../../src/relay/store/queue.ts'
import { wordStore } from '../../src/relay/store/words.ts'
import { cleanUp } from '../../src/relay/sync/clean-up.ts'
import { silentLog } from '../support/silent-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const DAY_MS = 86_400_000
const NOW = Date.parse('2026-03-01T12:00:00Z')
const NOW_SECONDS = NOW / 1000

let folder: string
let database: DatabaseSync
let commits: Commits

beforeEach(async () => {
  folder = join(await temporaryFolder('leasehold-test-store-'), 'relay')
  database = openDatabase(folder, silentLog)
  commits = groupCommits(database)
})

afterEach(async () => {
  if (database.isOpen) database.close()
  await rm(join(folder, '..'), { recursive: true, force: true })
})

/** The same file in a new process: what was not committed is gone. */
function again(): void {
  database.close()
  reopen()
}

function reopen(): void {
  database = openDatabase(folder, silentLog)
  commits = groupCommits(database)
}

const rows = (table: string): number =>
  Number(database.prepare(`select count(*) as n from ${table}`).get()?.n)

const report = (seq: number, body = '{}'): Omit<QueuedReport, 'id'> => ({
  kind: 'heartbeat',
  product: 'keldris',
  instanceId: 'a',
  bootId: '0b0c8f1e-6e0a-4a7e-9a53-0d6f5b8f7c11',
  seq,
  observedAt: NOW,
  body,
  acknowledges: false,
  digest: null,
})

const queue = () => reportQueue(database, commits, { mostBytes: 64_000_000, mostAge: 30 * DAY_MS })

describe('commits', () => {
  test('writes of one turn share one, and are acknowledged only after it', async () => {
    const waiting = queue()
    const acknowledged = Promise.all(
      Array.from({ length: 200 }, async (_, seq) => {
        const onDisk = commits.watch()
        waiting.add(report(seq))
        await onDisk()
      }),
    )
    expect({ commits: commits.count(), open: database.isTransaction }).toEqual({ commits: 0, open: true })
    await acknowledged
    expect({ commits: commits.count(), open: database.isTransaction }).toEqual({ commits: 1, open: false })
    again()
    expect(rows('reports')).toBe(200)
  })

  test('what was not acknowledged yet when the process died is not there', async () => {
    const waiting = queue()
    const onDisk = commits.watch()
    waiting.add(report(0))
    await onDisk()
    waiting.add(report(1))
    again()
    expect(rows('reports')).toBe(1)
  })

  test('a slow disk gets rests: half of the time is left for everything else', async () => {
    const SLOW_MS = 20
    const slow = new Proxy(database, {
      get(target, name) {
        if (name !== 'exec') return Reflect.get(target, name, target)
        return (sql: string) => {
          const until = performance.now() + (sql === 'commit' ? SLOW_MS : 0)
          target.exec(sql)
          while (performance.now() < until);
        }
      },
    })
    commits = groupCommits(slow)
    const waiting = queue()
    const began = performance.now()
    const written: Promise<void>[] = []
    let turns = 0
    while (performance.now() - began < 400) {
      const onDisk = commits.watch()
      waiting.add(report(turns++))
      written.push(onDisk())
      await turn()
    }
    await Promise.all(written)
    const spent = performance.now() - began
    expect(commits.count() * SLOW_MS).toBeLessThan(spent * 0.75)
    expect(turns).toBeGreaterThan(commits.count() * 3)
  })

  test('a full disk acknowledges nothing of what it lost, and goes on with what it holds', async () => {
    const waiting = queue()
    waiting.add(report(0))
    await commits.watch()()
    const pages = Number(database.prepare('pragma page_count').get()?.page_count)
    database.exec(`pragma max_page_count = ${pages}`)
    const onDisk = commits.watch()
    const fill = () => {
      for (let seq = 1; seq < 100; seq++) waiting.add(report(seq, 'x'.repeat(4000)))
    }
    expect(fill).toThrow(/full/)
    await expect(onDisk()).rejects.toThrow('lost')
    expect(waiting.standing().length).toBe(rows('reports'))
    database.exec('pragma max_page_count = 100000')
    const after = commits.watch()
    waiting.add(report(1000))
    await after()
    expect(waiting.standing().length).toBe(rows('reports'))
  })

  test('what throws leaves nothing of itself, and takes nothing of others along', async () => {
    const waiting = queue()
    const onDisk = commits.watch()
    waiting.add(report(0))
    const broken = () =>
      commits.write(() => {
        waiting.add(report(1))
        throw new Error('broken')
      })
    expect(broken).toThrow('broken')
    expect(waiting.standing().length).toBe(1)
    await onDisk()
    again()
    expect(rows('reports')).toBe(1)
  })
})

describe('the file', () => {
  test('is set aside when it is torn, and only then', async () => {
    database.close()
    const path = join(folder, 'relay.sqlite')
    const other = new DatabaseSync(path)
    other.exec('pragma user_version = 99')
    other.close()
    expect(() => openDatabase(folder, silentLog)).toThrow(/its format is 99/)
    expect(await readdir(folder)).toEqual(['relay.sqlite'])
    await writeFile(path, 'not a database at all, and long enough to be looked at'.repeat(100))
    database = openDatabase(folder, silentLog)
    expect(rows('reports')).toBe(0)
    expect(lostAt(database)).not.toBeNull()
    expect((await readdir(folder)).filter((name) => name.includes('torn'))).toHaveLength(1)
  })

  test('of the first version is brought up to date, with what it refuses and what waits', async () => {
    database.close()
    await rm(folder, { recursive: true })
    await mkdir(folder, { mode: 0o700 })
    const old = new DatabaseSync(join(folder, 'relay.sqlite'))
    old.exec(FIRST_VERSION)
    old.close()
    reopen()
    const words = wordStore(database, commits)
    const of = (issuedAt: number) => words.isDead({ product: 'keldris', licenseId: 'lic_1', issuedAt })
    expect([of(NOW_SECONDS), of(NOW_SECONDS + 1)]).toEqual([true, false])
    expect(words.ofInstance('keldris', 'killed')).toBe('kill')
    expect(words.ofInstance('keldris', 'a')).toBeNull()
    expect(queue().standing().length).toBe(1)
    expect(grantStore(database, commits).ofInstance('keldris', 'a')).toMatchObject([{ jwt: 'jwt' }])
  })
})

const FIRST_VERSION = `
  create table grants (product text not null, instance_id text not null, license_id text not null, jwt text not null,
    issued_at integer not null, expires_at integer not null, synced_at integer not null, answer text, entitlement text,
    failed_at integer, primary key (product, instance_id, license_id)) strict;
  create table proofs (hmac text not null, kind text not null, product text not null, instance_id text not null,
    license_id text not null, used_at integer not null,
    primary key (hmac, product, instance_id, license_id)) strict;
  create table instances (product text not null, instance_id text not null, action text not null, config text,
    synced_at integer not null, seen_at integer not null, primary key (product, instance_id)) strict;
  create table rejections (product text not null, instance_id text not null, license_id text not null,
    status text not null, action text not null, issued_at integer not null,
    primary key (product, instance_id, license_id)) strict;
  create table reports (id integer primary key autoincrement, kind text not null, product text not null,
    instance_id text not null, boot_id text not null, seq integer not null, observed_at integer not null,
    bytes integer not null, body text not null, acknowledges integer not null) strict;
  create index reports_by_kind on reports (kind, id);
  create table leases (license_id text not null, instance_id text not null, product text not null,
    allotment text not null, issued_at integer not null, expires_at integer not null,
    released integer not null default 0, primary key (license_id, instance_id)) strict;
  create table refused (hmac text primary key, at integer not null) strict;
  create table documents (name text primary key, content text not null, changed_at integer not null) strict;
  insert into grants values ('keldris', 'a', 'lic_1', 'jwt', 1, 2, 3, null, null, 4);
  insert into rejections values
    ('keldris', 'a', '', 'revoked', 'none', ${NOW_SECONDS}), ('keldris', 'a', 'lic_1', 'revoked', 'none', ${NOW_SECONDS}),
    ('keldris', '', 'lic_1', 'revoked', 'none', ${NOW_SECONDS}), ('keldris', '', 'lic_2', 'active', 'none', ${NOW_SECONDS}),
    ('keldris', 'killed', '', 'active', 'kill', ${NOW_SECONDS});
  insert into reports (kind, product, instance_id, boot_id, seq, observed_at, bytes, body, acknowledges) values
    ('heartbeat', 'keldris', 'a', 'boot', 1, 1, 1, '{}', 0), ('heartbeat', 'keldris', 'a', 'boot', 1, 1, 1, '{}', 0);
  pragma user_version = 1;
`

const directive = (more: Partial<DirectiveClaims> = {}): DirectiveClaims => ({
  iss: 'https://license.example.com',
  aud: 'keldris',
  sub: 'a',
  license_id: 'lic_1',
  status: 'active',
  action: 'none',
  seq: 1,
  keys: 1,
  nonce: 'n'.repeat(16),
  iat: NOW_SECONDS,
  exp: NOW_SECONDS + 300,
  reason: '',
  ...more,
})

describe('words of the vendor', () => {
  const deadAt = (words: ReturnType<typeof wordStore>, issuedAt: number) =>
    words.isDead({ product: 'keldris', licenseId: 'lic_1', issuedAt })

  test('a fresh one replaces what was believed, backwards too (T1)', () => {
    const words = wordStore(database, commits)
    const hear = (d: DirectiveClaims) => words.hear(d, { asked: words.turn(), newestGrant: 0, at: NOW })
    hear(directive({ status: 'revoked', action: 'kill' }))
    expect([deadAt(words, NOW_SECONDS), words.ofInstance('keldris', 'a')]).toEqual([true, 'kill'])
    // The vendor's clock was an hour ahead, and is right again.
    hear(directive({ iat: NOW_SECONDS - 3600 }))
    expect([deadAt(words, NOW_SECONDS - 3600), words.ofInstance('keldris', 'a')]).toEqual([false, null])
    hear(directive({ iat: NOW_SECONDS - 7200, status: 'suspended' }))
    expect(deadAt(words, NOW_SECONDS - 7200)).toBe(true)
  })

  test('a rejection after the vendor’s clock went back covers the grants that were had before it', () => {
    const words = wordStore(database, commits)
    const newestGrant = NOW_SECONDS
    const iat = NOW_SECONDS - 3600
    words.hear(directive({ status: 'revoked', iat }), { asked: words.turn(), newestGrant, at: NOW })
    expect([deadAt(words, NOW_SECONDS), deadAt(words, NOW_SECONDS + 1)]).toEqual([true, false])
  })

  test('of two that were asked for at once the one that was signed later counts, in whatever order they come', () => {
    const words = wordStore(database, commits)
    const asked = words.turn()
    const heard = { asked, newestGrant: 0, at: NOW }
    words.hear(directive({ sub: 'b', status: 'revoked', iat: NOW_SECONDS + 1 }), heard)
    words.hear(directive({ iat: NOW_SECONDS }), heard)
    expect(deadAt(words, NOW_SECONDS)).toBe(true)
    // Within one second what takes counts: the next word lifts it.
    words.hear(directive({ iat: NOW_SECONDS + 1 }), heard)
    expect(deadAt(words, NOW_SECONDS)).toBe(true)
    words.hear(directive({ iat: NOW_SECONDS + 1 }), { ...heard, asked: words.turn() })
    expect(deadAt(words, NOW_SECONDS)).toBe(false)
  })

  test('ignorance lifts as little as it takes (T2)', () => {
    const words = wordStore(database, commits)
    const hear = (d: DirectiveClaims) => words.hear(d, { asked: words.turn(), newestGrant: 0, at: NOW })
    hear(directive({ status: 'unlicensed' }))
    expect(deadAt(words, 0)).toBe(false)
    hear(directive({ status: 'revoked' }))
    hear(directive({ status: 'unlicensed' }))
    expect(deadAt(words, NOW_SECONDS)).toBe(true)
    hear(directive({ status: 'limit_reached' }))
    expect(deadAt(words, NOW_SECONDS)).toBe(false)
  })

  test('are kept through a restart, and leave nothing behind where they take nothing', () => {
    const hear = (d: DirectiveClaims) => {
      const words = wordStore(database, commits)
      words.hear(d, { asked: words.turn(), newestGrant: 0, at: NOW })
      commits.close()
    }
    for (let i = 0; i < 100; i++) hear(directive({ sub: `i${i}`, license_id: `lic_${i}` }))
    expect(rows('rejections')).toBe(0)
    hear(directive({ status: 'revoked' }))
    again()
    expect(deadAt(wordStore(database, commits), NOW_SECONDS)).toBe(true)
  })
})

describe('what is of no more use', () => {
  const grant = (more = {}) => ({
    product: 'keldris',
    instanceId: 'a',
    licenseId: 'lic_1',
    jwt: 'jwt',
    issuedAt: NOW_SECONDS,
    expiresAt: NOW_SECONDS + 86_400,
    syncedAt: NOW,
    answer: null,
    entitlement: null,
    ...more,
  })
  const instance = (instanceId: string, more = {}) => ({
    product: 'keldris',
    instanceId,
    action: 'none' as const,
    config: null,
    syncedAt: NOW,
    seenAt: NOW,
    ...more,
  })

  test('a flood of unknown instances is bounded, and pushes nobody out who holds a seat or stands under an action', () => {
    const grants = grantStore(database, commits, { instances: 100, proofs: 100 })
    grants.keep(grant())
    grants.touch(instance('a', { seenAt: 1 }))
    grants.touch(instance('killed', { seenAt: 2, action: 'kill' }))
    leaseStore(database, commits).take(lease('leased'), 5)
    grants.touch(instance('leased', { seenAt: 3 }))
    grants.prove('mine', 'api_key', grant(), 1)
    for (let i = 0; i < 500; i++) {
      grants.touch(instance(`flood${i}`, { seenAt: NOW + i }))
      grants.prove(`h${i}`, 'api_key', grant({ instanceId: `flood${i}` }), NOW + i)
    }
    expect(rows('instances')).toBe(100)
    expect(rows('proofs')).toBeLessThanOrEqual(110)
    for (const name of ['a', 'killed', 'leased', 'flood499'])
      expect(grants.instance('keldris', name)).not.toBeNull()
    expect(grants.proven('mine', 'a')).toHaveLength(1)
  })

  test('goes by its last use; what holds a seat or refuses something stays', () => {
    const grants = grantStore(database, commits)
    const words = wordStore(database, commits)
    const prune = pruning(database, commits)
    const later = NOW + 500 * DAY_MS
    // A license JWT of two years: the words against it and its instance guard as long.
    grants.keep(grant({ instanceId: 'long', licenseId: 'lic_long', expiresAt: NOW_SECONDS + 730 * 86_400 }))
    for (const name of ['long', 'short']) {
      const license_id = `lic_${name}`
      const taking = directive({ sub: name, license_id, status: 'revoked', action: 'kill' })
      words.hear(taking, { asked: words.turn(), newestGrant: 0, at: NOW })
      grants.touch(instance(name))
      grants.prove(name, 'api_key', grant({ instanceId: name, licenseId: license_id }), NOW)
      grants.disown(`until ${name}`, name, NOW, name === 'long' ? later + 1 : later - 1)
    }
    prune(NOW + 30 * DAY_MS)
    expect([rows('instances'), rows('proofs'), rows('refused'), rows('rejections')]).toEqual([2, 2, 2, 4])
    prune(later)
    const left = [grants.instance('keldris', 'long'), grants.instance('keldris', 'short')]
    expect(left).toEqual([expect.anything(), null])
    expect([rows('instances'), rows('proofs'), rows('refused'), rows('rejections')]).toEqual([1, 1, 1, 2])
    expect(grants.isRefused('until long')).toBe(true)
    expect(words.isDead({ product: 'keldris', licenseId: 'lic_long', issuedAt: NOW_SECONDS })).toBe(true)
    expect(words.ofInstance('keldris', 'long')).toBe('kill')
  })

  test('a grant goes when it has failed to sync for too long, and never before its signed end', async () => {
    const HOUR = 3_600_000
    const cleaned = async (now: number, vendor: { away?: boolean; offset?: number } = {}) => {
      const front = {
        grants: grantStore(database, commits),
        queue: queue(),
        keys: { licenseJwt: async () => ({}) },
        upstream: { isAway: () => vendor.away ?? false, clockOffset: () => vendor.offset ?? 0 },
        times: { cacheTtl: HOUR, staleGrace: HOUR },
        now: () => now,
      }
      const parts = { front, leases: leaseStore(database, commits), prune: pruning(database, commits) }
      await cleanUp(parts as unknown as OpenedRelay, 24 * HOUR, silentLog)
      return rows('grants')
    }
    const grants = grantStore(database, commits)
    grants.keep(grant({ instanceId: 'long', expiresAt: NOW_SECONDS + 400 * 86_400 }))
    grants.keep(grant({ instanceId: 'short', expiresAt: NOW_SECONDS + 60 }))
    // Failed after two hours, and for 24 then.
    expect(await cleaned(NOW + 26 * HOUR)).toBe(2)
    expect(await cleaned(NOW + 27 * HOUR, { away: true })).toBe(2)
    expect(await cleaned(NOW + 27 * HOUR, { offset: HOUR })).toBe(2)
    expect(await cleaned(NOW + 27 * HOUR)).toBe(1)
    expect(await cleaned(NOW + 399 * DAY_MS)).toBe(1)
    expect(await cleaned(NOW + 401 * DAY_MS)).toBe(0)
  })

  test('the last grant of a license is known to any of its instances, after a restart too', () => {
    const grants = grantStore(database, commits)
    grants.keep(grant({ instanceId: 'b', syncedAt: NOW + 5 }))
    grants.keep(grant({ instanceId: 'a', syncedAt: NOW + 2 }))
    expect([grants.answeredAt('lic_1'), grants.answeredAt('lic_2')]).toEqual([NOW + 5, 0])
    commits.close()
    again()
    expect(grantStore(database, commits).answeredAt('lic_1')).toBe(NOW + 5)
  })

  test('a credential that the vendor refused stays so while it is known from elsewhere', () => {
    const grants = grantStore(database, commits)
    const prune = pruning(database, commits)
    grants.prove('shared', 'api_key', grant({ instanceId: 'b' }), NOW)
    grants.keep(grant({ instanceId: 'b', expiresAt: NOW_SECONDS + 730 * 86_400 }))
    grants.disown('shared', 'a', NOW, null)
    grants.disown('nobody', 'a', NOW, null)
    prune(NOW + 40 * DAY_MS)
    expect([grants.isRefused('shared'), grants.isRefused('nobody')]).toEqual([true, false])
  })
})

const lease = (instanceId: string, issuedAt = NOW_SECONDS) => ({
  licenseId: 'lic_1',
  instanceId,
  product: 'keldris',
  allotment: 'jti',
  issuedAt,
  expiresAt: issuedAt + 86_400,
})

describe('leased seats', () => {
  test('k seats are never more than k leases that verify: a returned one frees its seat at its end', () => {
    const leases = leaseStore(database, commits)
    expect([leases.take(lease('a'), 1), leases.take(lease('b'), 1)]).toEqual([
      null,
      { reason: 'allotment_exhausted', limit: 1, current: 1 },
    ])
    expect(leases.giveBack('keldris', 'a', 'lic_1')).toBe(true)
    expect(leases.all()).toMatchObject([{ instanceId: 'a', released: true }])
    expect(leases.live('lic_1', NOW_SECONDS)).toEqual([])
    expect(leases.take(lease('b', NOW_SECONDS + 86_399), 1)).not.toBeNull()
    expect(leases.take(lease('b', NOW_SECONDS + 86_400), 1)).toBeNull()
  })

  test('one that was not returned frees its seat at its end too', () => {
    const leases = leaseStore(database, commits)
    leases.take(lease('a'), 1)
    expect(leases.take(lease('b', NOW_SECONDS + 86_400), 1)).toBeNull()
  })

  test('new instance ids are bounded as at the vendor, those that are known are not', () => {
    const leases = leaseStore(database, commits)
    const day = (n: number) => NOW_SECONDS + n * 86_400
    // Two seats meet 20 + 10 × 2 new instances in 30 days, here one pair a day.
    for (let n = 0; n < 20; n++) {
      expect(leases.take(lease(`x${n}`, day(n)), 2)).toBeNull()
      expect(leases.take(lease(`y${n}`, day(n)), 2)).toBeNull()
    }
    expect(leases.take(lease('new', day(20)), 2)).toEqual({ reason: 'seat_churn', limit: 40, current: 40 })
    expect(leases.take(lease('x0', day(20)), 2)).toBeNull()
    commits.close()
    again()
    const restarted = leaseStore(database, commits)
    for (const [at, taken] of [
      [day(29), false],
      [day(30), true],
    ] as const)
      expect(restarted.take(lease('new', at), 2) === null).toBe(taken)
  })
})

describe('reports without a number of their own', () => {
  const request = (text: string, bearer: string | null = null): InstanceRequest => ({
    method: 'POST',
    path: '/api/v1/instances/heartbeat',
    bearer,
    text,
    body: JSON.parse(text),
    sync: 'ws://relay',
  })
  let now = NOW
  const numbers = () =>
    ownNumbers({
      words: wordStore(database, commits),
      queue: queue(),
      commits,
      hash: (text) => text,
      now: () => now,
    })

  beforeEach(() => {
    now = NOW
  })

  test('the same body again within five minutes is the same report', () => {
    const own = numbers()
    const first = own.of(request('{"a":1}'))
    now += 4 * 60_000
    expect(own.of(request('{"a":1}'))).toEqual(first)
    expect(own.of(request('{"a":2}')).seq).not.toBe(first.seq)
    expect(own.of(request('{"a":1}', 'lit_x')).seq).not.toBe(first.seq)
    now += 60_000
    expect(own.of(request('{"a":1}')).seq).not.toBe(first.seq)
  })

  test('one that waits is known after a restart, and no number is given twice, whatever the clock does', () => {
    const first = numbers().of(request('{"a":1}'))
    queue().add({ ...report(first.seq), bootId: first.bootId, digest: first.digest })
    const other = numbers().of(request('{"a":2}'))
    commits.close()
    now -= 60_000
    again()
    expect(numbers().of(request('{"a":1}'))).toEqual(first)
    expect(numbers().of(request('{"a":3}')).seq).toBeGreaterThan(other.seq)
  })

  test('what waits is not taken twice', () => {
    const waiting = queue()
    expect([waiting.add(report(1)), waiting.add(report(1)), waiting.add(report(2))]).toEqual([
      true,
      true,
      true,
    ])
    expect(waiting.standing().length).toBe(2)
  })

  test('of one instance hold a share of the queue, and push nobody else’s out', () => {
    const small = reportQueue(database, commits, { mostBytes: 500_000, mostAge: 30 * DAY_MS })
    const large = (seq: number, more: Partial<QueuedReport> = {}) => ({
      ...report(seq, `"${'x'.repeat(10_000)}"`),
      ...more,
    })
    const one = { instanceId: 'one', acknowledges: true }
    const taken = Array.from({ length: 20 }, (_, seq) => small.add(large(seq, one)))
    expect(taken.filter(Boolean)).toHaveLength(6)
    for (let seq = 0; seq < 20; seq++) expect(small.add(large(seq, { instanceId: 'two' }))).toBe(true)
    expect(small.standing()).toMatchObject({ length: 12, dropped: 14 })
    const left = small.next(100)
    expect(left.slice(6).map(({ seq }) => seq)).toEqual([14, 15, 16, 17, 18, 19])
    // What was delivered makes room again, also after a restart.
    small.remove(left.slice(0, 2).map(({ id }) => id))
    expect([20, 21, 22].map((seq) => small.add(large(seq, one)))).toEqual([true, true, false])
    commits.close()
    again()
    const restarted = reportQueue(database, commits, { mostBytes: 500_000, mostAge: 30 * DAY_MS })
    expect(restarted.add(large(23, one))).toBe(false)
    expect(restarted.standing()).toMatchObject({ length: 12 })
  })

  test('a refresh that is answered for a JWT in its grace is kept, its acknowledgement too', async () => {
    const waiting = queue()
    const context = {
      commits,
      queue: waiting,
      own: numbers(),
      grants: { proven: () => [], isRefused: () => false, hasProof: () => false },
      keys: {
        licenseJwt: async (_jwt: string, _product: null, _instance: string, age: string) =>
          age === 'within_grace' ? { aud: 'keldris', license_id: 'lic_1', instance_id: 'a' } : null,
      },
      hash: (text: string) => text,
      now: () => NOW,
    } as unknown as QueueingContext
    const refresh = (text: string) => queueRefresh(context, request(text, 'eyJ'))
    expect(await refresh('{"instance_id":"a","version":"1","ack":7,"telemetry":{"x":1,"y":"z"}}')).toBe(true)
    expect(waiting.next(1)).toMatchObject([
      { acknowledges: true, body: JSON.stringify({ metrics: { x: 1 }, server_version: '1', ack: 7 }) },
    ])
    expect(await refresh('{"instance_id":"b","version":"1","ack":7}')).toBe(false)
  })

  test('the number is put into the body, which says the same otherwise', () => {
    const own = numbers()
    const boot_id = '00000000-0000-0000-0000-000000000001'
    const sent = '0b0c8f1e-6e0a-4a7e-9a53-0d6f5b8f7c11'
    const whole = `{"boot_id":"${sent}", "seq":1}`
    expect(numbered(request(whole), own)).toBe(whole)
    // Null, or one of the two alone, numbers nothing: whatever stands there, and wherever, must not win.
    for (const text of [
      '{}',
      ' { "a": 1.0 }',
      '{"a":1,"boot_id":null,"seq":null}',
      `{"a":1,"boot_id":"${sent}"}`,
      '{"seq":1}',
      '{"boot_id":"x","seq":1}',
    ]) {
      const { seq } = own.of(request(text))
      const given = JSON.parse(numbered(request(text), own) ?? '')
      expect(given, text).toEqual({ ...JSON.parse(text), boot_id, seq })
    }
  })
})
