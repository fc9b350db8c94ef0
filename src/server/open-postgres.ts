// The database of this process: the embedded one, started here, or the one that DATABASE_URL names, which must answer.
import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import type { Settings } from '../config/settings.ts'
import { startEmbeddedPostgres } from '../db/embedded/start.ts'
import { driverError, isDatabaseUnavailable } from '../db/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { StartError } from '../platform/start-error.ts'

export interface Postgres {
  /** Holds a password: never log it. */
  readonly url: string
  /** Full path; it exists where the process keeps something in it. */
  readonly dataDir: string
  /** Where it is, for a human, without secrets. */
  readonly place: string
  /** Null for a database that is not ours to start and stop. */
  readonly embedded: { pid: number; died: Promise<string>; stop(): Promise<void> } | null
}

/** How long a database that is just starting is waited for. */
const PATIENCE_MS = 10_000
const PAUSE_MS = 500

/** @throws StartError that says what is wrong and what to do. */
export async function openPostgres(
  settings: Pick<Settings, 'databaseUrl' | 'dataDir' | 'demo'>,
  log: Logger,
): Promise<Postgres> {
  const dataDir = resolve(settings.dataDir)
  const { databaseUrl } = settings
  if (databaseUrl !== null) {
    if (settings.demo) await mkdir(dataDir, { recursive: true, mode: 0o700 })
    const place = await awaitAnswer(databaseUrl, log)
    return { url: databaseUrl, dataDir, place, embedded: null }
  }
  const { url, version, location, stop, died } = await startEmbeddedPostgres({ dataDir, log })
  return {
    url,
    dataDir,
    place: `PostgreSQL ${version}, embedded, in ${location.data} (port ${location.port})`,
    embedded: { pid: location.pid, died, stop },
  }
}

async function awaitAnswer(url: string, log: Logger): Promise<string> {
  const { host, pathname } = new URL(url)
  const options = { max: 1, connect_timeout: 5, backoff: () => 0, fetch_types: false, onnotice: () => {} }
  const client = postgres(url, options)
  try {
    for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(PAUSE_MS)) {
      try {
        const [row] = await client`select current_setting('server_version') as version`
        return `PostgreSQL ${row?.version} of DATABASE_URL (${host}${pathname})`
      } catch (error) {
        if (!isDatabaseUnavailable(error) || Date.now() > deadline) throw unusableDatabase(error, host)
        log.warn({ err: error, host }, 'waiting for the database')
      }
    }
  } finally {
    await client.end({ timeout: 1 })
  }
}

/** What is wrong with a database that cannot be used. SQLSTATE classes 28 and 3D: who may log in, and to what. */
export function unusableDatabase(error: unknown, host: string): StartError {
  const code = driverError(error)?.code ?? 'unknown reason'
  const wrong: Record<string, [why: string, fix: string]> = {
    '28P01': ['refuses the password', 'Correct the user and password in DATABASE_URL.'],
    '28000': ['refuses this user', 'Correct DATABASE_URL, or the pg_hba.conf of the server.'],
    '3D000': ['has no such database', 'Create the database, or correct the name in DATABASE_URL.'],
  }
  const [why, fix] = wrong[code] ?? [
    `does not answer (${code})`,
    'Check that it runs and that DATABASE_URL names it. Without DATABASE_URL the embedded database is used.',
  ]
  return new StartError(`The database server at ${host} ${why}.`, fix, { cause: error })
}
