import { sql } from 'drizzle-orm'
import postgres from 'postgres'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connectDatabase, type DatabaseConnection } from '../../src/db/client.ts'
import {
  dropPartitionsBefore,
  ensurePartitions,
  listPartitions,
  oldestStoredDay,
} from '../../src/db/partitions.ts'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'
import { query } from '../support/query.ts'

const day = (date: string) => new Date(`2026-03-${date}T12:00:00Z`)
const days = (...dates: string[]) => dates.map((date) => `2026-03-${date}`)

let clone: ClonedDatabase
let connection: DatabaseConnection

beforeEach(async () => {
  clone = await cloneDatabase()
  connection = connectDatabase(clone.url, { poolSize: 4 })
})

afterEach(async () => {
  await connection.close()
  await clone.drop()
})

/** As pg_dump: one snapshot, and every table of it locked against changes of its form, until `end`. */
async function openDump(): Promise<{ end(): Promise<void> }> {
  const client = postgres(clone.url, { max: 1, onnotice: () => {} })
  await client`begin isolation level repeatable read, read only`
  const tables = await client`select c.oid::regclass::text as name from pg_class c
    where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace`
  for (const { name } of tables) await client.unsafe(`lock table only ${name} in access share mode`)
  return {
    async end() {
      await client`commit`
      await client.end()
    },
  }
}

const insertOn = (date: string) => `
  insert into reports (instance_key, received_on, id, product_id, kind, proof, received_at, observed_at, metrics,
    increases, features)
  values (gen_random_uuid(), '2026-03-${date}', gen_random_uuid(), gen_random_uuid(), 'heartbeat', 'none', now(), now(),
    '{}', '{}', '{}')`

/** Writes reports of that day one after the other, and fails as soon as one had to wait for a lock. */
function keepWriting(date: string): { stop(): Promise<number> } {
  const client = postgres(clone.url, { max: 1, onnotice: () => {}, connection: { lock_timeout: 20 } })
  let stopping = false
  const work = (async () => {
    let written = 0
    for (; !stopping; written += 1) await client.unsafe(insertOn(date))
    await client.end()
    return written
  })()
  work.catch(() => {})
  return {
    stop() {
      stopping = true
      return work
    },
  }
}

describe('while a dump is open', () => {
  test('partitions are made, and no writer waits', async () => {
    await ensurePartitions(connection.db, day('10'))
    const dump = await openDump()
    const writer = keepWriting('10')
    for (const date of ['11', '12', '13', '14']) await ensurePartitions(connection.db, day(date))
    expect(await writer.stop()).toBeGreaterThan(10)
    expect(await listPartitions(connection.db)).toEqual(days('10', '11', '12', '13', '14', '15', '16', '17'))
    await query(clone.url, insertOn('17'))
    await dump.end()
  })

  test('old ones leave for readers and writers without a wait, and are dropped once it has ended', async () => {
    await ensurePartitions(connection.db, day('01'), day('07'))
    await query(clone.url, insertOn('01'))
    const dump = await openDump()
    const writer = keepWriting('09')
    expect(await dropPartitionsBefore(connection.db, day('04'))).toEqual({ dropped: [], waiting: 3 })
    // The first one is on its way and can be read no more; it bars the others, and neither writers nor new partitions.
    expect(
      await query(
        clone.url,
        `select count(*)::int as of_before from reports where received_on < '2026-03-02'`,
      ),
    ).toEqual([{ of_before: 0 }])
    await ensurePartitions(connection.db, day('08'))
    expect(await dropPartitionsBefore(connection.db, day('04'))).toEqual({ dropped: [], waiting: 3 })
    expect(await writer.stop()).toBeGreaterThan(10)
    expect((await listPartitions(connection.db)).slice(0, 2)).toEqual(days('02', '03'))
    expect(await oldestStoredDay(connection.db)).toBe('2026-03-01')

    await dump.end()
    expect(await dropPartitionsBefore(connection.db, day('04'))).toEqual({
      dropped: ['reports_20260301', 'reports_20260302', 'reports_20260303'],
      waiting: 0,
    })
    expect(await listPartitions(connection.db)).toEqual(days('04', '05', '06', '07', '08', '09', '10', '11'))
    expect(await oldestStoredDay(connection.db)).toBe('2026-03-04')
  })

  test('one that was begun in the meantime holds up the dropping only', async () => {
    await ensurePartitions(connection.db, day('01'))
    await query(clone.url, 'alter table reports detach partition reports_20260301 concurrently')
    const dump = await openDump()
    const writer = keepWriting('03')
    expect(await dropPartitionsBefore(connection.db, day('02'))).toEqual({ dropped: [], waiting: 1 })
    await writer.stop()
    await dump.end()
    expect(await dropPartitionsBefore(connection.db, day('02'))).toMatchObject({ waiting: 0 })
  })

  test('the connection that waited keeps the limits of the pool', async () => {
    const own = connectDatabase(clone.url, { poolSize: 1 })
    const limit = async () => (await own.db.execute(sql`show lock_timeout`))[0]?.lock_timeout
    await ensurePartitions(own.db, day('01'))
    const before = await limit()
    const dump = await openDump()
    await dropPartitionsBefore(own.db, day('02'))
    expect(await limit()).toBe(before)
    await dump.end()
    await own.close()
  })
})

describe('a partition', () => {
  test('has the keys, indexes and constraints of its parent, and none of its own', async () => {
    await ensurePartitions(connection.db, day('01'))
    const shape = (table: string) =>
      query(
        clone.url,
        `select contype::text as kind, pg_get_constraintdef(oid) as what from pg_constraint where conrelid = '${table}'::regclass
         union all
         select 'index', regexp_replace(pg_get_indexdef(indexrelid), '.* USING', '') from pg_index where indrelid = '${table}'::regclass
         order by 1, 2`,
      )
    expect(await shape('reports_20260301')).toEqual(await shape('reports'))
    expect(
      await query(
        clone.url,
        `select count(*)::int as own from pg_index i where indrelid = 'reports_20260301'::regclass
         and not exists (select from pg_inherits where inhrelid = indexrelid)`,
      ),
    ).toEqual([{ own: 0 }])
  })

  test('is made once, however many processes ask at the same moment', async () => {
    const others = Array.from({ length: 6 }, () => connectDatabase(clone.url, { poolSize: 2 }))
    await Promise.all(
      others.flatMap(({ db }) => [ensurePartitions(db, day('01')), ensurePartitions(db, day('02'))]),
    )
    expect(await listPartitions(connection.db)).toEqual(days('01', '02', '03', '04', '05'))
    await Promise.all(others.map((other) => other.close()))
  })

  test('is made within a transaction, and not when that is rolled back', async () => {
    const mistake = new Error('a mistake')
    const work = (fails: boolean) =>
      connection.db.transaction(async (tx) => {
        await ensurePartitions(tx, day('01'))
        await tx.execute(sql.raw(insertOn('01')))
        if (fails) throw mistake
      })
    await expect(work(true)).rejects.toBe(mistake)
    expect(await listPartitions(connection.db)).toEqual([])
    await work(false)
    expect(await listPartitions(connection.db)).toEqual(days('01', '02', '03', '04'))
  })

  test('that was taken out and not dropped comes back when its day is wanted', async () => {
    await ensurePartitions(connection.db, day('01'))
    await query(clone.url, insertOn('01'))
    await query(clone.url, 'alter table reports detach partition reports_20260301 concurrently')
    expect(await listPartitions(connection.db)).toEqual(days('02', '03', '04'))
    await ensurePartitions(connection.db, day('01'))
    expect(await listPartitions(connection.db)).toEqual(days('01', '02', '03', '04'))
    expect(await query(clone.url, 'select 1 from reports')).toHaveLength(1)
  })
})
