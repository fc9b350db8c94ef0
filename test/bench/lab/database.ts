// The bench's own PostgreSQL: the embedded one, as durable as users run it, on a real disk, counting its statements.
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/db/embedded/start.ts'
import { silentLog } from '../../support/silent-log.ts'

export interface BenchDatabase {
  /** Holds a password. */
  url: string
  postmaster: number
  /** For everything that other programs of the bench write. */
  folder: string
  /** To the maintenance database, so that what is asked through it is not counted as the server's. */
  control: postgres.Sql
  /** A connection to the database that the server uses. */
  sql: postgres.Sql
  /** The URL of another database of the same server, made if absent. */
  another(name: string): Promise<string>
  stop(): Promise<void>
}

/** Starts it in a new folder below the system's temporary one. `settings` are PostgreSQL's own, by name. */
export async function startBenchDatabase(settings: Record<string, string> = {}): Promise<BenchDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'leasehold-bench-'))
  await chmod(folder, 0o711)
  const start = () => startEmbeddedPostgres({ dataDir: join(folder, 'database'), log: silentLog })
  let running = await start()
  try {
    await configure(running, { shared_preload_libraries: 'pg_stat_statements', ...settings })
    await running.stop()
    running = await start()
    return await open(running, folder)
  } catch (error) {
    await running.stop()
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function configure({ url }: EmbeddedPostgres, settings: Record<string, string>): Promise<void> {
  const client = postgres(url, { max: 1 })
  for (const [name, value] of Object.entries(settings)) {
    await client.unsafe(`alter system set ${name} = '${value}'`)
  }
  await client.end()
}

async function open(running: EmbeddedPostgres, folder: string): Promise<BenchDatabase> {
  const control = postgres(inDatabase(running.url, 'postgres'), { max: 2, onnotice: () => {} })
  await control`create extension if not exists pg_stat_statements`
  const sql = postgres(running.url, { max: 2, onnotice: () => {} })
  return {
    url: running.url,
    postmaster: running.location.pid,
    folder,
    control,
    sql,
    async another(name) {
      await control`create database ${control(name)}`
      return inDatabase(running.url, name)
    },
    async stop() {
      await Promise.all([control.end({ timeout: 5 }), sql.end({ timeout: 5 })])
      await running.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function inDatabase(url: string, name: string): string {
  const other = new URL(url)
  other.pathname = `/${name}`
  return other.href
}
