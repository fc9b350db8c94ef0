// The master key and the root key: from the settings, else from the data folder, where the first start makes them.
import { generateKeyPairSync } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { readMasterKey } from '../config/master-key.ts'
import { type RootKey, readRootKey } from '../config/root-key.ts'
import { loadRootKey } from '../config/root-key-file.ts'
import type { Settings } from '../config/settings.ts'
import type { Executor } from '../db/client.ts'
import { randomBytes } from '../platform/random.ts'
import { StartError } from '../platform/start-error.ts'
import { readSecretFile, writeSecretFile } from './secret-file.ts'

export const MASTER_KEY_FILE = 'master-key'
export const ROOT_KEY_FILE = 'root-key.pem'

export interface OwnKeys {
  masterKey: Uint8Array
  rootKey: RootKey
}

/**
 * Both keys. A key is made only for a database that holds nothing made with a former one: a new master key would open
 * nothing, and a new root key would be trusted by nobody. It is on disk before the database hears of it.
 * @throws StartError when a key was lost, or its file holds no key.
 */
export async function openOwnKeys(
  db: Executor,
  dataDir: string,
  settings: Pick<Settings, 'masterKey' | 'rootKey'>,
): Promise<OwnKeys> {
  return {
    masterKey: settings.masterKey ?? (await storedMasterKey(dataDir)) ?? (await newMasterKey(db, dataDir)),
    rootKey: settings.rootKey
      ? await loadRootKey(settings.rootKey)
      : ((await storedRootKey(dataDir)) ?? (await newRootKey(db, dataDir))),
  }
}

/** The master key in the data folder, or null when it holds none. */
export async function storedMasterKey(dataDir: string): Promise<Uint8Array | null> {
  const text = await readSecretFile(dataDir, MASTER_KEY_FILE)
  if (text === null) return null
  const key = readMasterKey(text.trim())
  if ('value' in key) return key.value
  throw new StartError(
    `${dataDir}/${MASTER_KEY_FILE} ${key.wrong}.`,
    `Restore the file from a backup, or set LEASEHOLD_MASTER_KEY.`,
  )
}

/** The root key in the data folder, or null when it holds none. */
export async function storedRootKey(dataDir: string): Promise<RootKey | null> {
  const text = await readSecretFile(dataDir, ROOT_KEY_FILE)
  if (text === null) return null
  const key = readRootKey(text.trim())
  if ('value' in key) return loadRootKey(key.value)
  throw new StartError(
    `${dataDir}/${ROOT_KEY_FILE} ${key.wrong}.`,
    `Restore the file from a backup, or set LEASEHOLD_ROOT_KEY.`,
  )
}

async function newMasterKey(db: Executor, dataDir: string): Promise<Uint8Array> {
  const [found] = await db.execute(sql`select 1 from server_secrets limit 1`)
  if (found) {
    throw new StartError(
      `${dataDir}/${MASTER_KEY_FILE} is gone, and the database holds secrets that only it opens.`,
      'Restore the file from a backup, or set LEASEHOLD_MASTER_KEY to what it held. To begin anew, remove the whole data folder.',
    )
  }
  const key = randomBytes(32)
  await writeSecretFile(dataDir, MASTER_KEY_FILE, `${Buffer.from(key).toString('base64')}\n`)
  return key
}

async function newRootKey(db: Executor, dataDir: string): Promise<RootKey> {
  const [found] = await db.execute(sql`select 1 from key_sets limit 1`)
  if (found) {
    throw new StartError(
      `${dataDir}/${ROOT_KEY_FILE} is gone, and products trust what it signed.`,
      'Restore the file from a backup, or set LEASEHOLD_ROOT_KEY to what it held.',
    )
  }
  const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  await writeSecretFile(dataDir, ROOT_KEY_FILE, pem)
  const key = readRootKey(pem.trim())
  if (!('value' in key)) throw new TypeError(`a fresh root key ${key.wrong}`)
  return loadRootKey(key.value)
}
