// Opens the services of a command that works on the database: the server's own settings, verbs and keys, with nobody
// logged in. Starts no server.
import { userInfo } from 'node:os'
import { resolve } from 'node:path'
import type { RootKey } from '../config/root-key.ts'
import { loadRootKey } from '../config/root-key-file.ts'
import { type Environment, loadSettings, type Settings } from '../config/settings.ts'
import { connectDatabase } from '../db/client.ts'
import { migrate } from '../db/migrate.ts'
import type { Ctx } from '../domain/kernel/context.ts'
import { clockGuard } from '../domain/signing/clock-guard.ts'
import { measureSkew } from '../domain/signing/measure-skew.ts'
import { systemClock } from '../platform/clock.ts'
import { publicId, uuidv7 } from '../platform/ids.ts'
import { pinoLogger } from '../platform/logger-pino.ts'
import { StartError } from '../platform/start-error.ts'
import { openServices } from '../server/open-services.ts'
import { storedMasterKey } from '../server/own-keys.ts'
import { openEmbedded } from './embedded-database.ts'

const POOL_SIZE = 2

/** Variables of commands, which are no settings of the server. */
export const NEW_MASTER_KEY = 'LEASEHOLD_NEW_MASTER_KEY'
const COMMAND_VARIABLES = [NEW_MASTER_KEY, 'LEASEHOLD_SERVER', 'LEASEHOLD_ADMIN_KEY', 'LEASEHOLD_PROFILE']

export interface OpenOptions {
  /** Whether the command verifies with the root key. One that does not must run where none is configured. */
  rootKey: 'needed' | 'unused'
  /** Whether the command works on the embedded database too, with the master key of the data folder. */
  embedded?: boolean
}

interface Place {
  url: string
  masterKey: Uint8Array
  close(): Promise<void>
}

/**
 * Runs `work` with a context of the system actor, and closes the connections after it.
 * @throws StartError without a database, with wrong settings, or when the master key does not fit the database.
 */
export async function withServices<T>(
  env: Environment,
  options: OpenOptions,
  work: (ctx: Ctx) => Promise<T>,
): Promise<T> {
  const settings = readSettings(env, options)
  const place = await placeOf(settings)
  try {
    return await within(place, env, settings, options, work)
  } finally {
    await place.close()
  }
}

async function within<T>(
  { url, masterKey }: Place,
  env: Environment,
  settings: Settings,
  options: OpenOptions,
  work: (ctx: Ctx) => Promise<T>,
): Promise<T> {
  await migrate(url)
  const connection = connectDatabase(url, { poolSize: POOL_SIZE })
  try {
    const { db } = connection
    const guard = clockGuard()
    guard.measured(await measureSkew(db, systemClock))
    const rootKey = await rootKeyOf(settings, options)
    const log = pinoLogger({ level: env.LOG_LEVEL ? settings.logLevel : 'warn', stream: process.stderr })
    const services = await openServices(db, settings, { masterKey, rootKey }, log, guard)
    const requestId = publicId('req', uuidv7(services.clock.now(), services.random))
    return await work({ ...services, actor: { kind: 'system', id: `cli:${userName()}` }, requestId })
  } finally {
    await connection.close()
  }
}

async function placeOf({ databaseUrl, masterKey, dataDir }: Settings): Promise<Place> {
  if (databaseUrl !== null && masterKey !== null)
    return { url: databaseUrl, masterKey, close: async () => {} }
  const folder = resolve(dataDir)
  const key = masterKey ?? (await storedMasterKey(folder))
  if (key !== null) return { ...(await openEmbedded(folder)), masterKey: key }
  throw new StartError(
    `DATABASE_URL is not set, and there is no master key in ${folder}.`,
    'Set LEASEHOLD_DATA_DIR to the data folder of the server, or DATABASE_URL and LEASEHOLD_MASTER_KEY as the server has them.',
  )
}

function readSettings(env: Environment, { rootKey, embedded = false }: OpenOptions): Settings {
  const settings = Object.fromEntries(
    Object.entries(env).filter(([name]) => !COMMAND_VARIABLES.includes(name)),
  )
  if (!settings.DATABASE_URL?.trim()) {
    if (embedded) return loadSettings(settings)
    throw noDatabase()
  }
  // The server asks for a root key; a command that does not use it is not to fail for want of it.
  const filled = rootKey === 'unused' && !settings.LEASEHOLD_ROOT_KEY?.trim()
  return loadSettings(filled ? { ...settings, LEASEHOLD_ROOT_KEY: UNUSED_ROOT } : settings)
}

const UNUSED_ROOT = `public:${'0'.repeat(64)}`

/** A command that does not use the root key gets none at all: neither to sign nor to verify with. */
async function rootKeyOf({ rootKey }: Settings, options: OpenOptions): Promise<RootKey> {
  if (options.rootKey === 'unused' || rootKey === null) return { kind: 'public', publicKey: '' }
  return loadRootKey(rootKey)
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown'
  }
}

const noDatabase = () =>
  new StartError(
    'DATABASE_URL is not set: this command works on the database of your own PostgreSQL.',
    'Set DATABASE_URL and LEASEHOLD_MASTER_KEY as the server has them. With the embedded database the admin API does the same: its owner key is in credentials.json of the data folder.',
  )
