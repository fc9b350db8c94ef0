// Whether an import may begin: nothing is there, and no server is at work. Holds it so until the end.
import { sql } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { StartError } from '../../platform/start-error.ts'
import { OF_AN_EMPTY_SERVER, tableNames } from './tables.ts'

const SHOWN = 5

/** @throws StartError that names what is there, or says that a server runs. */
export async function demandEmpty(tx: Transaction): Promise<void> {
  const [running] = await tx.execute<{ others: number }>(sql`
    select count(*)::int as others from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and application_name like 'leasehold%'`)
  if (running && running.others > 0) {
    throw new StartError(
      'A server or another command is connected to this database.',
      'Stop every server of it, and import then: they hold keys in memory that an import replaces.',
    )
  }
  const names = tableNames()
  const list = sql.join(
    names.map((name) => sql.identifier(name)),
    sql`, `,
  )
  await tx.execute(sql`lock table ${list} in share row exclusive mode`)
  const full: string[] = []
  for (const name of names.filter((found) => !OF_AN_EMPTY_SERVER.includes(found))) {
    const rows = await tx.execute(sql`select 1 from ${sql.identifier(name)} limit 1`)
    if (rows.length > 0) full.push(name)
  }
  if (full.length === 0) return
  const more = full.length > SHOWN ? ` and ${full.length - SHOWN} more` : ''
  throw new StartError(
    `This server is not empty: it has rows in ${full.slice(0, SHOWN).join(', ')}${more}.`,
    'Import into a new database, or a new data folder, before the first start.',
  )
}
