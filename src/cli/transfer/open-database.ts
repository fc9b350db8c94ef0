// The database that is exported or imported: that of DATABASE_URL, or the embedded one of the data folder, which is
// started for the moment where no server runs.
import { resolve } from 'node:path'
import { readDatabaseUrl } from '../../config/addresses.ts'
import { readMasterKey } from '../../config/master-key.ts'
import { connectDatabase, type Database, type Executor } from '../../db/client.ts'
import { migrate } from '../../db/migrate.ts'
import { StartError } from '../../platform/start-error.ts'
import { openOwnKeys, storedMasterKey } from '../../server/own-keys.ts'
import type { CommandIo } from '../command.ts'
import { openEmbedded, startEmbedded } from '../embedded-database.ts'

export interface TransferDatabase {
  db: Database
  /**
   * Asks the database through `on`: the only connection may be that of an open transaction.
   * @throws StartError where there is none; with `existing` also where one would have to be made.
   */
  masterKey(on: Executor, existing: boolean): Promise<Uint8Array>
}

interface Place {
  url: string
  dataDir: string | null
  close(): Promise<void>
}

/** Only reads: a server may go on meanwhile, and nothing is migrated. */
export const withDatabaseToRead = <T>(io: CommandIo, work: (found: TransferDatabase) => Promise<T>) =>
  within(io, placeToRead, work)

/** Migrated, and for this command alone. */
export const withDatabaseToFill = <T>(io: CommandIo, work: (found: TransferDatabase) => Promise<T>) =>
  within(io, placeToFill, work)

async function within<T>(
  io: CommandIo,
  open: (io: CommandIo) => Promise<Place>,
  work: (found: TransferDatabase) => Promise<T>,
): Promise<T> {
  const place = await open(io)
  try {
    const connection = connectDatabase(place.url, { poolSize: 1 })
    try {
      const { db } = connection
      return await work({ db, masterKey: (on, existing) => masterKeyOf(io, on, place.dataDir, existing) })
    } finally {
      await connection.close()
    }
  } finally {
    await place.close()
  }
}

async function placeToRead(io: CommandIo): Promise<Place> {
  const own = ownPlace(io)
  if (own) return own
  const dataDir = dataFolder(io)
  return { ...(await openEmbedded(dataDir)), dataDir }
}

async function placeToFill(io: CommandIo): Promise<Place> {
  const dataDir = dataFolder(io)
  const place = ownPlace(io) ?? { ...(await startEmbedded(dataDir)), dataDir }
  try {
    await migrate(place.url)
    return place
  } catch (error) {
    await place.close()
    throw error
  }
}

function ownPlace({ env }: CommandIo): Place | null {
  const text = env.DATABASE_URL?.trim()
  if (!text) return null
  const url = readDatabaseUrl(text)
  if ('value' in url) return { url: url.value, dataDir: null, close: async () => {} }
  throw new StartError(
    `DATABASE_URL: the value ${url.wrong}.`,
    'Set it to postgres://user:password@host/database.',
  )
}

const dataFolder = ({ env }: CommandIo): string => resolve(env.LEASEHOLD_DATA_DIR?.trim() || '.data')

async function masterKeyOf(
  { env }: CommandIo,
  on: Executor,
  dataDir: string | null,
  existing: boolean,
): Promise<Uint8Array> {
  const text = env.LEASEHOLD_MASTER_KEY?.trim()
  const given = text ? readMasterKey(text) : null
  if (given && !('value' in given)) {
    throw new StartError(`LEASEHOLD_MASTER_KEY: the value ${given.wrong}.`, 'Set it as the server has it.')
  }
  if (given) return given.value
  const stored = dataDir === null ? null : await storedMasterKey(dataDir)
  if (stored) return stored
  if (dataDir !== null && !existing) {
    return (await openOwnKeys(on, dataDir, { masterKey: null, rootKey: null })).masterKey
  }
  throw new StartError(
    'There is no master key.',
    existing
      ? 'What is sealed in this export opens only with the master key of the server that was exported: set LEASEHOLD_MASTER_KEY, or put its master-key file into the data folder.'
      : 'Set LEASEHOLD_MASTER_KEY as the server will have it.',
  )
}
