import { setImmediate } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectDatabase, type DatabaseConnection, type Executor } from '../../src/db/client.ts'
import { isDatabaseAway } from '../../src/db/errors.ts'
import { transaction } from '../../src/db/transaction.ts'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'
import { until } from '../support/leasehold-process.ts'
import { query } from '../support/query.ts'

let clone: ClonedDatabase
let connection: DatabaseConnection

beforeAll(async () => {
  clone = await cloneDatabase()
  connection = connectDatabase(clone.url, { poolSize: 1 })
})

afterAll(async () => {
  await connection.close()
  await clone.drop()
})

async function endBackend(pid: unknown): Promise<void> {
  await query(clone.url, `select pg_terminate_backend(${pid})`)
  await until(async () => {
    const left = await query(clone.url, `select 1 from pg_stat_activity where pid = ${pid}`)
    return left.length === 0
  })
}

const ownPid = async (db: Executor): Promise<unknown> =>
  (await db.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`))[0]?.pid

// An error that escaped from the driver would end the process; the test run reports it as unhandled.
describe('a connection that ends in the middle of a transaction', () => {
  test.each([0, 1, 2, 50])(
    'fails its next statement, and no other; %i turns of the loop later',
    async (turns) => {
      const work = transaction(connection.db, async (tx) => {
        await endBackend(await ownPid(tx))
        for (let turn = 0; turn < turns; turn++) await setImmediate()
        await tx.execute(sql`select 1`)
      })
      const error = await work.catch((thrown: unknown) => thrown)
      expect(isDatabaseAway(error)).toBe(true)
      const began = performance.now()
      expect(await connection.db.execute(sql`select 1 as one`)).toMatchObject([{ one: 1 }])
      expect(performance.now() - began).toBeLessThan(1_000)
    },
  )

  test('runs nothing of it on the connection that comes after', async () => {
    const late = Promise.withResolvers<void>()
    let said: Promise<unknown> | undefined
    const work = transaction(connection.db, async (tx) => {
      await endBackend(await ownPid(tx))
      await late.promise
      said = tx.execute(sql`create table half_done ()`).catch((thrown: unknown) => thrown)
      await said
    })
    await expect(work).rejects.toSatisfy(isDatabaseAway)
    // The pool's only connection is there again, and does not know of the transaction.
    expect(await ownPid(connection.db)).toEqual(expect.any(Number))
    late.resolve()
    await until(() => said !== undefined)
    expect(await said).toSatisfy(isDatabaseAway)
    expect(await query(clone.url, `select to_regclass('half_done') as found`)).toEqual([{ found: null }])
  })
})

describe('a statement that fails after its first rows', () => {
  /** Fails at the third of five rows. */
  const failing = sql`select 1 / (3 - i) as x from generate_series(1, 5) i`

  test('leaves nothing in the answer of the next one', async () => {
    await expect(connection.db.execute(failing)).rejects.toThrow()
    expect([...(await connection.db.execute(sql`select 7 as x`))]).toEqual([{ x: 7 }])
  })

  test('leaves nothing either when its connection ended', async () => {
    const pid = await ownPid(connection.db)
    // So many rows that the first are sent before the statement ends.
    const slow = connection.db
      .execute(sql`
        select repeat('x', 1000), pg_sleep(case when i > 500 then 60 else 0 end) from generate_series(1, 1000) i`)
      .catch((thrown: unknown) => thrown)
    await until(async () => {
      const [row] = await query(clone.url, `select wait_event from pg_stat_activity where pid = ${pid}`)
      return row?.wait_event === 'PgSleep'
    })
    await endBackend(pid)
    expect(await slow).toSatisfy(isDatabaseAway)
    expect([...(await connection.db.execute(sql`select 7 as x`))]).toEqual([{ x: 7 }])
  })
})

describe('a connection that ends while nobody uses it', () => {
  test('costs no request anything', async () => {
    for (let round = 0; round < 5; round++) {
      await endBackend(await ownPid(connection.db))
      await setImmediate()
      expect(await connection.db.execute(sql`select 1 as one`)).toMatchObject([{ one: 1 }])
    }
  })
})
