// Applies the SQL migrations of `drizzle/`, one process at a time. Owns no schema.
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import { StartError } from '../platform/start-error.ts'

const MIGRATIONS = fileURLToPath(new URL('../../drizzle', import.meta.url))
const MIGRATION_LOCK = 5_027_001
const OLDEST_POSTGRES = 150_000

/**
 * Brings the database to this version's schema. Safe to call from many processes at once: an advisory lock lets
 * one work while the others wait and then find nothing to do.
 * @throws StartError when the server is older than PostgreSQL 15.
 */
export async function migrate(databaseUrl: string): Promise<void> {
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
    await applyMigrations(drizzle(client), { migrationsFolder: MIGRATIONS })
  } finally {
    await client.end({ timeout: 5 })
  }
}

/** Number of migrations that this version ships: `/readyz` compares it with what the database has applied. */
export async function shippedMigrations(): Promise<number> {
  return (await readdir(MIGRATIONS)).filter((name) => name.endsWith('.sql')).length
}
