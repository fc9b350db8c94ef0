// The database itself: what it is, how full, whether it has our schema, and whether the clocks agree (T7). Reads only.
import { sql } from 'drizzle-orm'
import { appliedMigrations } from '../../db/applied-migrations.ts'
import type { Database } from '../../db/client.ts'
import { OLDEST_POSTGRES, shippedMigrations } from '../../db/migrate.ts'
import { MOST_SKEW_MS } from '../../domain/signing/clock-guard.ts'
import { measureSkew } from '../../domain/signing/measure-skew.ts'
import { type Clock, systemClock } from '../../platform/clock.ts'
import { type Finding, ok, problem, warning } from './finding.ts'

const WORTH_A_WORD_MS = 5_000
const MEBIBYTE = 1024 * 1024
const NEARLY_ALL = 0.9

interface Facts extends Record<string, unknown> {
  number: number
  version: string
  bytes: number
  most: number
  used: number
}

/** `server`: what a server with these settings is made of. */
export async function examineServer(
  db: Database,
  server: { processes: number; connections: number },
): Promise<Finding[]> {
  const began = systemClock.monotonic()
  const [facts] = await db.execute<Facts>(sql`
    select current_setting('server_version_num')::int as number, current_setting('server_version') as version,
      pg_database_size(current_database())::float8 as bytes, current_setting('max_connections')::int as most,
      (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as used`)
  if (!facts) throw new Error('PostgreSQL says nothing of itself')
  const ms = Math.round(systemClock.monotonic() - began)
  if (facts.number < OLDEST_POSTGRES) {
    const fix = 'Upgrade PostgreSQL to version 15 or newer.'
    return [problem('database', `PostgreSQL ${facts.version} is too old.`, fix)]
  }
  const size = Math.ceil(facts.bytes / MEBIBYTE)
  return [
    ok('database', `PostgreSQL ${facts.version} answers in ${ms} ms; ${size} MiB.`),
    connections(facts, server),
  ]
}

function connections({ most, used }: Facts, server: { processes: number; connections: number }): Finding {
  const { processes, connections: own } = server
  const whose = processes === 1 ? 'one server' : `one server of ${processes} processes`
  const detail = `${used} of ${most} connections are taken; ${whose} takes up to ${own}.`
  const fix = 'Raise max_connections of PostgreSQL, or lower LEASEHOLD_POOL_SIZE or LEASEHOLD_PROCESSES.'
  return used > most * NEARLY_ALL || own > most
    ? warning('connections', detail, fix)
    : ok('connections', detail)
}

export async function examineMigrations(db: Database): Promise<Finding> {
  const shipped = await shippedMigrations()
  const applied = await appliedMigrations(db)
  const detail = `${applied} of ${shipped} migrations are applied.`
  if (applied < shipped) {
    return problem('migrations', detail, 'Run leasehold migrate, or start a server of this version.')
  }
  const newer = `${applied - shipped} more are applied: a newer version uses this database too.`
  return ok('migrations', applied > shipped ? newer : detail)
}

export async function examineClock(db: Database, clock: Clock = systemClock): Promise<Finding> {
  const skew = await measureSkew(db, clock)
  const seconds = (Math.abs(skew) / 1000).toFixed(1)
  const detail = `This machine's clock is ${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} the database's.`
  const fix = 'Set the clocks of both machines by NTP.'
  if (Math.abs(skew) >= MOST_SKEW_MS) return problem('clocks', `${detail} The server signs nothing.`, fix)
  return Math.abs(skew) >= WORTH_A_WORD_MS
    ? warning('clocks', detail, fix)
    : ok('clocks', "This machine's clock agrees with the database's.")
}
