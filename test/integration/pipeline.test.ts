import { setImmediate } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connectDatabase, type DatabaseConnection } from '../../src/db/client.ts'
import { driverError, isDatabaseAway } from '../../src/db/errors.ts'
import { CommitUnclear, type PipelinedTransaction, runPipelined } from '../../src/db/pipeline.ts'
import type { Parameter } from '../../src/db/text-parameters.ts'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'
import { until } from '../support/leasehold-process.ts'
import { query } from '../support/query.ts'
import { countRoundTrips, type RoundTrips } from '../support/round-trips.ts'

let clone: ClonedDatabase
let way: RoundTrips
let connection: DatabaseConnection

beforeAll(async () => {
  clone = await cloneDatabase()
  await query(
    clone.url,
    `create table rows (id int primary key, mark text, rank int,
      constraint rank_once unique (rank) deferrable initially deferred)`,
  )
  way = await countRoundTrips(clone.url)
})

beforeEach(async () => {
  connection = connectDatabase(way.url, { poolSize: 1 })
  await query(clone.url, `delete from rows`)
  way.reset()
})

afterEach(() => connection.close())

afterAll(async () => {
  await way.stop()
  await clone.drop()
})

const LOCK = 'select id from rows where id = any($1::int[]) order by id for no key update skip locked'
const READ = 'select id, mark from rows where id = $1::int'
const INSERT = 'insert into rows (id, mark) values ($1::int, $2::text)'
const INSERT_RANKED = 'insert into rows (id, rank) values ($1::int, $2::int)'
const PID = 'select pg_backend_pid() as pid'

const thrown = (work: Promise<unknown>): Promise<unknown> => work.then(() => null).catch((error) => error)
const stored = async () => (await query(clone.url, `select id from rows order by id`)).map(({ id }) => id)

async function endBackend(pid: unknown): Promise<void> {
  await query(clone.url, `select pg_terminate_backend(${pid})`)
  await until(
    async () => (await query(clone.url, `select 1 from pg_stat_activity where pid = ${pid}`)).length === 0,
  )
}

async function ownPid(tx: PipelinedTransaction): Promise<number> {
  const [row] = await tx.send<{ pid: number }>(PID)
  return row?.pid ?? 0
}

/** By their Execute messages. */
const statementsIn = (bytes = ''): number => bytes.split('E\0\0\0\x09').length - 1

async function batch(from: DatabaseConnection, first: number): Promise<void> {
  await runPipelined(
    from,
    async (tx) => {
      await Promise.all([tx.send(LOCK, [[first]]), tx.send(LOCK, [[first, first + 1]])])
      await Promise.all([tx.send(READ, [first]), tx.send(READ, [first + 1])])
      void tx.send(INSERT, [first, 'a'])
      void tx.send(INSERT, [first + 1, 'b'])
      await tx.commit()
    },
    { lockTimeout: 100 },
  )
}

describe('a pipelined transaction', () => {
  test.each([true, false])('waits for Postgres three times; statements prepared: %s', async (prepare) => {
    const own = connectDatabase(way.url, { poolSize: 1, prepare })
    try {
      // The first one connects.
      await own.db.execute(sql`select 1`)
      for (const first of [1, 11]) {
        way.reset()
        await batch(own, first)
        const [locks, reads, writes, ...more] = way.sent()
        expect(more).toEqual([])
        expect(locks).toContain('begin; set local lock_timeout = 100')
        expect(statementsIn(locks)).toBe(2)
        expect(statementsIn(reads)).toBe(2)
        expect(writes?.endsWith('commit\0')).toBe(true)
      }
      expect(await stored()).toEqual([1, 2, 11, 12])
    } finally {
      await own.close()
    }
  })

  test('prepares each statement once on a connection', async () => {
    await batch(connection, 1)
    way.reset()
    await batch(connection, 11)
    expect(way.sent().join()).not.toContain('insert into rows')
  })

  test('gives its connection back', async () => {
    for (let round = 0; round < 5; round++) await batch(connection, round * 10)
    expect(await connection.db.execute(sql`select 1 as one`)).toMatchObject([{ one: 1 }])
  })

  test('returns what its work returns, once it has committed', async () => {
    const rows = await runPipelined(connection, async (tx) => {
      const made = await tx.send(INSERT, [1, 'a'])
      await tx.commit()
      return made.count
    })
    expect(rows).toBe(1)
    expect(await stored()).toEqual([1])
  })

  test('commits what nobody awaited, before it returns', async () => {
    await runPipelined(connection, async (tx) => {
      void tx.send(INSERT, [1, 'a'])
      void tx.commit()
    })
    expect(await stored()).toEqual([1])
  })

  test('is rolled back without a commit', async () => {
    await runPipelined(connection, async (tx) => {
      await tx.send(INSERT, [1, 'a'])
    })
    const mistake = new Error('a mistake')
    const failing = runPipelined(connection, async (tx) => {
      void tx.send(INSERT, [2, 'a'])
      throw mistake
    })
    await expect(failing).rejects.toBe(mistake)
    expect(await stored()).toEqual([])
    const open = `select 1 from pg_stat_activity where datname = current_database() and state like 'idle in%'`
    expect(await query(clone.url, open)).toEqual([])
  })

  test('takes no statement after COMMIT', async () => {
    await runPipelined(connection, async (tx) => {
      await tx.send(INSERT, [1, 'a'])
      await tx.commit()
      expect(() => tx.send(INSERT, [2, 'a'])).toThrow('after COMMIT')
      expect(() => tx.commit()).toThrow('already')
    })
  })

  test('waits for a lock no longer than it was told', async () => {
    await query(clone.url, `insert into rows values (1, 'a')`)
    const held = Promise.withResolvers<void>()
    const done = Promise.withResolvers<void>()
    const other = connectDatabase(clone.url, { poolSize: 1 })
    const holding = runPipelined(other, async (tx) => {
      await tx.send('update rows set mark = $1::text', ['held'])
      held.resolve()
      await done.promise
    })
    await held.promise
    const error = await thrown(
      runPipelined(connection, (tx) => tx.send('update rows set mark = $1::text', ['b']), {
        lockTimeout: 50,
      }),
    )
    expect(driverError(error)?.code).toBe('55P03')
    done.resolve()
    await holding
    await other.close()
  })
})

describe('a statement that fails', () => {
  test('before COMMIT was sent ends the transaction with its error', async () => {
    const work = runPipelined(connection, async (tx) => {
      await tx.send(INSERT, [1, 'a'])
      await thrown(tx.send(INSERT, [1, 'again']))
      await tx.commit()
    })
    expect(driverError(await thrown(work))?.code).toBe('23505')
    expect(await stored()).toEqual([])
    await batch(connection, 1)
  })

  test('in one write with COMMIT does so too, though COMMIT itself succeeds', async () => {
    const work = runPipelined(connection, async (tx) => {
      await tx.send(LOCK, [[1]])
      void tx.send(INSERT, [1, 'a'])
      void tx.send(INSERT, [1, 'again'])
      void tx.send(INSERT, [2, 'b'])
      await tx.commit()
    })
    expect(driverError(await thrown(work))?.code).toBe('23505')
    expect(await stored()).toEqual([])
  })

  test('at COMMIT is no unclear end', async () => {
    const work = runPipelined(connection, async (tx) => {
      void tx.send(INSERT_RANKED, [1, 7])
      void tx.send(INSERT_RANKED, [2, 7])
      await tx.commit()
    })
    expect(driverError(await thrown(work))).toEqual({ code: '23505', constraint: 'rank_once' })
    await batch(connection, 1)
  })

  test('because its plan is outdated is not repeated behind the others', async () => {
    const all = 'select * from rows where id = $1::int'
    const insertReturning = 'insert into rows (id, mark) values ($1::int, $2::text) returning *'
    const run = (id: number) =>
      runPipelined(connection, async (tx) => {
        void tx.send(insertReturning, [id, 'a'])
        void tx.send(all, [id])
        await tx.commit()
      })
    await run(1)
    await query(clone.url, `alter table rows add column extra text`)
    expect(driverError(await thrown(run(2)))?.code).toBe('0A000')
    expect(await stored()).toEqual([1])
    // The connection knows by now.
    await run(3)
    expect(await stored()).toEqual([1, 3])
    await query(clone.url, `alter table rows drop column extra`)
  })
})

describe('a connection that ends', () => {
  test('while its answer to COMMIT is on the way leaves an unclear end', async () => {
    const work = runPipelined(connection, async (tx) => {
      await tx.send(LOCK, [[1]])
      void tx.send(INSERT, [1, 'a'])
      way.loseNextAnswer()
      await tx.commit()
    })
    const error = await thrown(work)
    expect(error).toBeInstanceOf(CommitUnclear)
    expect(isDatabaseAway(error)).toBe(true)
    way.reset()
    await until(async () => (await stored()).length === 1)
    await batch(connection, 11)
  })

  test.each([0, 1, 2, 50])('before COMMIT leaves a clear one; %i turns of the loop later', async (turns) => {
    const work = runPipelined(connection, async (tx) => {
      await endBackend(await ownPid(tx))
      for (let turn = 0; turn < turns; turn++) await setImmediate()
      void tx.send(INSERT, [1, 'a'])
      await tx.commit()
    })
    const error = await thrown(work)
    expect(isDatabaseAway(error)).toBe(true)
    expect(error).not.toBeInstanceOf(CommitUnclear)
    expect(await stored()).toEqual([])
    await batch(connection, 1)
  })

  test('runs nothing of the transaction on the connection that comes after', async () => {
    const late = Promise.withResolvers<void>()
    const work = runPipelined(connection, async (tx) => {
      await endBackend(await ownPid(tx))
      await late.promise
      void tx.send(INSERT, [1, 'late'])
      await tx.commit()
    })
    // The pool's only connection is there again, and does not know of the transaction.
    await batch(connection, 11)
    late.resolve()
    expect(await thrown(work)).toSatisfy(isDatabaseAway)
    expect(await stored()).toEqual([11, 12])
    // It was given back once only.
    await Promise.all([batch(connection, 21), batch(connection, 31)])
  })

  test('fails what still waited to be sent', async () => {
    const big = 'x'.repeat(1_000_000)
    const work = runPipelined(connection, async (tx) => {
      const pid = await ownPid(tx)
      const answers = [
        tx.send('select pg_sleep($1::int)', [60]),
        tx.send('select length($1::text)', [big]),
        tx.send('select length($1::text)', [big]),
        tx.send(INSERT, [1, 'a']),
      ]
      await endBackend(pid)
      const settled = await Promise.allSettled(answers)
      expect(settled.map(({ status }) => status)).toEqual(Array(4).fill('rejected'))
    })
    expect(await thrown(work)).toSatisfy(isDatabaseAway)
    await batch(connection, 1)
  })
})

test('a pool that was closed gives no connection, rather than none for ever', async () => {
  const own = connectDatabase(clone.url, { poolSize: 1 })
  await own.close()
  expect(await thrown(batch(own, 1))).toSatisfy(isDatabaseAway)
})

test('a pool that closes waits for a transaction, and then ends its connection', async () => {
  const own = connectDatabase(clone.url, { poolSize: 1 })
  let closing: Promise<void> | undefined
  const began = performance.now()
  await runPipelined(own, async (tx) => {
    await tx.send(INSERT, [1, 'a'])
    closing = own.close()
    await setImmediate()
    await tx.commit()
  })
  await closing
  expect(performance.now() - began).toBeLessThan(4_000)
  expect(await stored()).toEqual([1])
})

describe('a parameter', () => {
  const bytes = Uint8Array.of(0, 0x5c, 0xff)
  const awkward = ['', 'a"b', 'c\\d', '{e,f}', 'NULL', 'ü ', null]
  const date = new Date('2026-11-28T16:00:00.123Z')
  test.each<[string, Parameter, unknown]>([
    ['text', 'NULL', 'NULL'],
    ['text', null, null],
    ['int', 7, 7],
    ['bigint', 2n ** 60n, String(2n ** 60n)],
    ['boolean', true, true],
    ['boolean', 'true', true],
    ['boolean', false, false],
    ['jsonb', '{"a":[1,"b"]}', { a: [1, 'b'] }],
    ['bytea', bytes, Buffer.from(bytes)],
    ['timestamptz', date, '2026-11-28 16:00:00.123+00'],
    ['timestamptz', '2026-11-28 16:00:00.123456+00', '2026-11-28 16:00:00.123456+00'],
  ])('of type %s arrives as it is: %s', async (type, value, expected) => {
    const text = `select $1::${type} as value`
    // Unknown to the connection at first, prepared then.
    for (let round = 0; round < 3; round++) {
      await runPipelined(connection, async (tx) => {
        expect([...(await tx.send(text, [value]))]).toEqual([{ value: expected }])
      })
    }
  })

  test.each<[string, Parameter, unknown[]]>([
    ['text', awkward, awkward],
    ['int', [1, null, 3], [1, null, 3]],
    ['boolean', [true, false], [true, false]],
    ['bytea', [bytes], [Buffer.from(bytes)]],
    ['timestamptz', [date], ['2026-11-28 16:00:00.123+00']],
    ['jsonb', ['{"a":"b\\"c"}'], [{ a: 'b"c' }]],
    ['text', [], []],
  ])('that is an array of type %s arrives as it is: %s', async (type, values, expected) => {
    for (let round = 0; round < 3; round++) {
      await runPipelined(connection, async (tx) => {
        const rows = await tx.send<{ value: unknown }>(`select * from unnest($1::${type}[]) as value`, [
          values,
        ])
        expect(rows.map(({ value }) => value)).toEqual(expected)
      })
    }
  })
})
