// What happens once before anybody is served, however many processes serve: the database runs and is migrated, keys and
// partitions are there, the first run is done.
import { readFile } from 'node:fs/promises'
import type { Settings } from '../config/settings.ts'
import { migrate } from '../db/migrate.ts'
import { ensurePartitions } from '../db/partitions.ts'
import type { Services } from '../domain/kernel/context.ts'
import { keySetOrigin } from '../domain/signing/key-set-origin.ts'
import { systemClock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { Closing } from './closing.ts'
import { type Connections, openConnections } from './connections.ts'
import { warnOfAnotherRoot, withLastingIssuer } from './continuity.ts'
import { type FirstRun, firstRun } from './first-run/first-run.ts'
import { openPostgres, type Postgres } from './open-postgres.ts'
import { openServices } from './open-services.ts'
import { openOwnKeys } from './own-keys.ts'
import type { StopRequests } from './stop-requests.ts'

export interface Prepared {
  database: Postgres
  connections: Connections
  /** With the issuer that lasts from start to start. */
  settings: Settings
  services: Services
  firstRun: FirstRun
}

export interface PrepareOptions {
  settings: Settings
  log: Logger
  stop: StopRequests
  /** Closes what was opened here. */
  opened: Closing
  /** Database connections of this process. */
  poolSize: number
}

/** @throws StartError that says what is wrong and what to do. */
export async function prepare({ settings, log, stop, opened, poolSize }: PrepareOptions): Promise<Prepared> {
  const database = await openPostgres(settings, log)
  const { embedded, dataDir, url } = database
  if (embedded) {
    opened.add('embedded database', embedded.stop)
    stop.onAbandon(() => process.kill(embedded.pid, 'SIGINT'))
    void embedded.died.then((why) => stop.fail(new Error(why), 'the embedded database ended: stopping'))
  }
  await migrate(url)
  const connections = await openConnections(url, poolSize, opened)
  const { db, guard } = connections
  const keys = await openOwnKeys(db, dataDir, settings)
  const root = keys.rootKey.publicKey
  const origin = await keySetOrigin(db, root)
  warnOfAnotherRoot(origin, root, log)
  const lasting = embedded ? await withLastingIssuer(settings, dataDir, origin, log) : settings
  const services = await openServices(db, lasting, keys, log, guard)
  await ensurePartitions(db, systemClock.now())
  const first = await firstRun(services, { dataDir, demo: settings.demo, embedded: embedded !== null })
  return { database, connections, settings: lasting, services, firstRun: first }
}

/** Of package.json. */
export async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
