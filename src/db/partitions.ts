// The daily partitions of `reports`: made ahead, and taken out by retention. Owns no rows, and makes no writer wait.
import { sql } from 'drizzle-orm'
import type postgres from 'postgres'
import { type Database, driverOf, type Executor } from './client.ts'
import { isDatabaseBusy } from './errors.ts'

/** Beside today's. */
export const DAYS_AHEAD = 3
const DAY = 86_400_000
const PARTITION_LOCK = 5_027_002

/** `2026-11-22`, the day a report received at `date` is filed under (UTC). */
export const partitionDay = (date: Date): string => date.toISOString().slice(0, 10)

const tableOf = (day: string) => `reports_${day.replaceAll('-', '')}`
const dayAfter = (day: string) => partitionDay(new Date(Date.parse(day) + DAY))

/**
 * Makes the partitions from the day of `from` to three days after `to`. Idempotent, safe from many processes, and in a
 * transaction too. Writers and a dump that is under way go on.
 */
export async function ensurePartitions(db: Executor, from: Date, to: Date = from): Promise<void> {
  const days: string[] = []
  const end = to.getTime() + DAYS_AHEAD * DAY
  for (let at = from.getTime(); at <= end; at += DAY) days.push(partitionDay(new Date(at)))
  if ((await missingOf(db, days)).length === 0) return
  await db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(${PARTITION_LOCK})`)
    for (const day of await missingOf(tx, days)) await attach(tx, day)
  })
}

async function missingOf(db: Executor, days: readonly string[]): Promise<string[]> {
  const made = new Set(await listPartitions(db))
  return days.filter((day) => !made.has(day))
}

/**
 * `create table … partition of` would lock `reports` against everybody. To attach a table only keeps other changes of
 * the schema out, and needs no look at its rows when a constraint says already that they are of that day.
 */
async function attach(tx: Executor, day: string): Promise<void> {
  const table = `"${tableOf(day)}"`
  const next = dayAfter(day)
  const statements = [
    // There, when it was detached and not dropped yet.
    `create table if not exists ${table} (like reports including all)`,
    `alter table ${table} drop constraint if exists of_one_day`,
    `alter table ${table} add constraint of_one_day check (received_on >= '${day}' and received_on < '${next}')`,
    `alter table reports attach partition ${table} for values from ('${day}') to ('${next}')`,
    `alter table ${table} drop constraint of_one_day`,
  ]
  for (const statement of statements) await tx.execute(sql.raw(statement))
}

/** The days that have a partition, as `2026-11-22`, oldest first. */
export async function listPartitions(db: Executor): Promise<string[]> {
  return (await listTables(db)).filter(({ state }) => state === 'attached').map(({ day }) => day)
}

/** The oldest day whose reports are still stored, also where they are on their way out; null without any. */
export async function oldestStoredDay(db: Executor): Promise<string | null> {
  return (await listTables(db))[0]?.day ?? null
}

interface DayTable {
  day: string
  /** `leaving`: its detachment was begun and has to be completed. `detached`: it has to be dropped. */
  state: 'attached' | 'leaving' | 'detached'
}

async function listTables(db: Executor): Promise<DayTable[]> {
  const rows = await db.execute<{ name: string; state: DayTable['state'] }>(sql`
    select c.relname as name, case when i.inhrelid is null then 'detached' when i.inhdetachpending then 'leaving'
      else 'attached' end as state
    from pg_class parent
      join pg_class c on c.relnamespace = parent.relnamespace and c.relkind = 'r' and c.relname ~ '^reports_[0-9]{8}$'
      left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = parent.oid
    where parent.oid = 'reports'::regclass order by 1`)
  return rows.map(({ name, state }) => ({
    day: name.replace(/^reports_(\d{4})(\d\d)(\d\d)$/, '$1-$2-$3'),
    state,
  }))
}

/**
 * How long a step may wait for those who still use a table. Only a transaction that is older waits for nothing: a
 * dump, for hours. What is not done then is done at the next call.
 */
const LEAVE_TIMEOUT = '2s'

/**
 * Takes the partitions of the days before `day` out of `reports` and drops them. Uses a connection of the pool for a
 * few seconds, since no transaction may be open on it.
 * @returns the names of the dropped tables, and how many have to wait until somebody has read them.
 */
export async function dropPartitionsBefore(
  db: Database,
  day: Date,
): Promise<{ dropped: string[]; waiting: number }> {
  const first = partitionDay(day)
  const due = (await listTables(db)).filter((one) => one.day < first)
  if (due.length === 0) return { dropped: [], waiting: 0 }
  // Where the pool has a single connection, nothing but this may be asked until it is back.
  const connection = await driverOf(db).reserve()
  try {
    await connection.unsafe(`set lock_timeout = '${LEAVE_TIMEOUT}'`)
    const dropped = await dropAll(connection, await detachAll(connection, due))
    return { dropped, waiting: due.length - dropped.length }
  } finally {
    await connection.unsafe('reset lock_timeout').catch(() => {})
    connection.release()
  }
}

/**
 * Returns the days whose tables are detached. One at a time may be leaving: where that cannot be completed, none can
 * follow.
 */
async function detachAll(connection: postgres.ReservedSql, tables: readonly DayTable[]): Promise<string[]> {
  const inState = (wanted: DayTable['state']) => tables.filter(({ state }) => state === wanted)
  const detached = inState('detached').map(({ day }) => day)
  for (const { day, state } of [...inState('leaving'), ...inState('attached')]) {
    const how = state === 'leaving' ? 'finalize' : 'concurrently'
    if (!(await done(connection, `alter table reports detach partition "${tableOf(day)}" ${how}`))) break
    detached.push(day)
  }
  return detached
}

async function dropAll(connection: postgres.ReservedSql, days: readonly string[]): Promise<string[]> {
  const dropped: string[] = []
  for (const table of days.map(tableOf)) {
    if (await done(connection, `drop table "${table}"`)) dropped.push(table)
  }
  return dropped
}

/** False when somebody has to finish first. */
async function done(connection: postgres.ReservedSql, statement: string): Promise<boolean> {
  try {
    await connection.unsafe(statement)
    return true
  } catch (error) {
    if (isDatabaseBusy(error)) return false
    throw error
  }
}
