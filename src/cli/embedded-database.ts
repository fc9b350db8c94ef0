// The embedded database of a data folder, for one command: that of the server that runs there, or started for the moment
// where none does. Makes no new one and migrates nothing.

import { knownHome } from '../db/embedded/location.ts'
import { runningCluster } from '../db/embedded/running.ts'
import { startEmbeddedPostgres } from '../db/embedded/start.ts'
import { pinoLogger } from '../platform/logger-pino.ts'
import { StartError } from '../platform/start-error.ts'

export interface EmbeddedDatabase {
  /** Holds the password: never log it. */
  url: string
  /** Whether it was started for this command, and is stopped by `close`. */
  isStarted: boolean
  close(): Promise<void>
}

/** @throws StartError where the folder holds no database, or its database does not start. */
export async function openEmbedded(dataDir: string): Promise<EmbeddedDatabase> {
  const url = await runningCluster(dataDir)
  if (url !== null) return { url, isStarted: false, close: async () => {} }
  if (await knownHome(dataDir)) return startEmbedded(dataDir)
  throw new StartError(
    `There is no database in ${dataDir}.`,
    'Set LEASEHOLD_DATA_DIR to the data folder of the server, or DATABASE_URL to your own PostgreSQL.',
  )
}

/** Makes the folder and the database where they are not there. @throws StartError also while a server uses the folder. */
export async function startEmbedded(dataDir: string): Promise<EmbeddedDatabase> {
  const log = pinoLogger({ level: 'error', stream: process.stderr })
  const { url, stop } = await startEmbeddedPostgres({ dataDir, log })
  return { url, isStarted: true, close: stop }
}
