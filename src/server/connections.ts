// How one process reaches the database: its pool, the watchdog's connection beside it, and how far its clock is off.
import { connectDatabase, connectProbe, type Database, type DatabaseConnection } from '../db/client.ts'
import { databaseWatchdog, type Watchdog } from '../db/watchdog.ts'
import { type ClockGuard, clockGuard } from '../domain/signing/clock-guard.ts'
import { measureSkew } from '../domain/signing/measure-skew.ts'
import { systemClock } from '../platform/clock.ts'
import type { Closing } from './closing.ts'

export interface Connections {
  /** Holds a password: never log it. */
  readonly url: string
  readonly connection: DatabaseConnection
  readonly db: Database
  readonly watchdog: Watchdog
  readonly guard: ClockGuard
}

/** What is opened is closed by `opened`. Rejects when the database does not answer. */
export async function openConnections(url: string, poolSize: number, opened: Closing): Promise<Connections> {
  const connection = connectDatabase(url, { poolSize })
  const { db, client } = connection
  // Nothing is under way any more, or it was cut off: no reason to wait for it.
  opened.add('database connections', () => client.end({ timeout: 1 }))
  const watchdog = databaseWatchdog(connectProbe(url))
  opened.add('database probe', watchdog.close)
  const guard = clockGuard()
  guard.measured(await measureSkew(db, systemClock))
  return { url, connection, db, watchdog, guard }
}
