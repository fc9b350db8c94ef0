// Freezing a server so that others can work on its tables: never in the middle of a transaction, whose locks would last.
import { setTimeout as sleep } from 'node:timers/promises'
import type postgres from 'postgres'
import type { Program } from './program.ts'

const PAUSE_MS = 50
const ATTEMPTS = 600

/** `sql` is a connection to the server's database. @throws Error when the server is never idle. */
export async function freezeIdle(server: Program, sql: postgres.Sql): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    server.pause()
    // What it sent before may still be under way.
    await sleep(PAUSE_MS)
    const busy = await sql`
      select from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
        and state <> 'idle'`
    if (busy.length === 0) return
    server.resume()
    await sleep(PAUSE_MS)
  }
  throw new Error(`${server.name} is never idle`)
}
