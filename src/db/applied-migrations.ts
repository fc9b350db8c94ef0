// How far a database has come. Applies nothing: Workers ask this too.
import { sql } from 'drizzle-orm'
import type { Executor } from './client.ts'

/** Number of migrations that a database has; more than are shipped where a newer version uses it too. */
export async function appliedMigrations(db: Executor): Promise<number> {
  const [table] = await db.execute<{ there: boolean }>(
    sql`select to_regclass('drizzle.__drizzle_migrations') is not null as there`,
  )
  if (!table?.there) return 0
  const [row] = await db.execute<{ applied: number }>(
    sql`select count(*)::int as applied from drizzle.__drizzle_migrations`,
  )
  return row?.applied ?? 0
}
