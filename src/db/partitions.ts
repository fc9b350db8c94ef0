// The daily partitions of `reports`: made ahead, dropped by retention. Owns no rows.
import { sql } from 'drizzle-orm'
import type { Database } from './client.ts'

/** Beside today's. */
export const DAYS_AHEAD = 3
const DAY = 86_400_000
const PARTITION_LOCK = 5_027_002

/** `2026-11-22`, the day a report received at `date` is filed under (UTC). */
export const partitionDay = (date: Date): string => date.toISOString().slice(0, 10)

const tableOf = (day: string) => `reports_${day.replaceAll('-', '')}`

/**
 * Makes the partitions from the day of `from` to three days after `to`. Idempotent, safe from many processes.
 */
export async function ensurePartitions(db: Database, from: Date, to: Date = from): Promise<void> {
  const days: string[] = []
  const end = to.getTime() + DAYS_AHEAD * DAY
  for (let at = from.getTime(); at <= end; at += DAY) days.push(partitionDay(new Date(at)))
  await db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(${PARTITION_LOCK})`)
    for (const day of days) {
      const next = partitionDay(new Date(Date.parse(day) + DAY))
      await tx.execute(
        sql.raw(
          `create table if not exists "${tableOf(day)}" partition of reports for values from ('${day}') to ('${next}')`,
        ),
      )
    }
  })
}

/** The days that have a partition, as `2026-11-22`, oldest first. */
export async function listPartitions(db: Database): Promise<string[]> {
  const rows = await db.execute<{ name: string }>(sql`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'reports'::regclass order by 1`)
  return rows.flatMap(({ name }) => {
    const [, year, month, day] = /^reports_(\d{4})(\d\d)(\d\d)$/.exec(name) ?? []
    return day === undefined ? [] : [`${year}-${month}-${day}`]
  })
}

/** Drops the partitions of the days before `day`; returns their names. */
export async function dropPartitionsBefore(db: Database, day: Date): Promise<string[]> {
  const first = partitionDay(day)
  const names = (await listPartitions(db)).filter((one) => one < first).map(tableOf)
  for (const name of names) await db.execute(sql.raw(`drop table if exists "${name}"`))
  return names
}
