// Applies the SQL migrations of `drizzle/`, one process at a time, beside servers that go on working. Owns no schema.
import { readdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import { StartError } from '../platform/start-error.ts'
import { requireCorrectedDriver } from './corrected-driver.ts'
import { isTransient } from './errors.ts'

const MIGRATIONS = fileURLToPath(new URL('../../drizzle', import.meta.url))
const MIGRATION_LOCK = 5_027_001
/** As `server_version_num` says it. */
export const OLDEST_POSTGRES = 150_000
/**
 * All migrations are one transaction, and each waits for the tables it changes. While it waits, every request for such a
 * table waits behind it, and two tables may be wanted by both in opposite order. So it gives way, well before Postgres
 * looks for deadlocks (1 s) and ends a request instead, and comes back.
 */
const LOCK_TIMEOUT = '300ms'
const PATIENCE_MS = 60_000
const PAUSE_MS = 200

/**
 * Brings the database to this version's schema, or to that of another `folder` of migrations. Safe to call from many
 * processes at once: an advisory lock lets one work while the others wait and then find nothing to do.
 * @throws StartError when the server is older than PostgreSQL 15, the driver is not the corrected one, or the tables are held for more than a minute.
 */
export async function migrate(databaseUrl: string, folder: string = MIGRATIONS): Promise<void> {
  requireCorrectedDriver()
  const client = postgres(databaseUrl, { max: 1, onnotice: () => {}, connect_timeout: 10 })
  try {
    const [version] = await client`show server_version_num`
    if (Number(version?.server_version_num) < OLDEST_POSTGRES) {
      throw new StartError(
        `PostgreSQL ${version?.server_version_num} is too old: Leasehold needs version 15 or newer.`,
        'Point DATABASE_URL at a newer server, or leave it unset to use the embedded one.',
      )
    }
    await client`select pg_advisory_lock(${MIGRATION_LOCK})`
    await client`select set_config('lock_timeout', ${LOCK_TIMEOUT}, false)`
    await applyPatiently(client, folder)
  } finally {
    await client.end({ timeout: 5 })
  }
}

async function applyPatiently(client: postgres.Sql, folder: string): Promise<void> {
  for (const began = performance.now(); ; await sleep(PAUSE_MS * Math.random())) {
    try {
      return await applyMigrations(drizzle(client), { migrationsFolder: folder })
    } catch (error) {
      if (!isTransient(error)) throw error
      if (performance.now() - began < PATIENCE_MS) continue
      throw new StartError(
        'The migrations could not be applied: the tables they change are in use all the time.',
        'Find what holds them (a backup, a long query: select * from pg_stat_activity), and start again. Nothing was changed.',
        { cause: error },
      )
    }
  }
}

/** Number of migrations that this version ships: `/readyz` compares it with what the database has applied. */
export async function shippedMigrations(): Promise<number> {
  return (await readdir(MIGRATIONS)).filter((name) => name.endsWith('.sql')).length
}
