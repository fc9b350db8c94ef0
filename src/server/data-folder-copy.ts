// A backup of the embedded database is a folder: the cluster and the secrets without which it is worth nothing. Made
// beside a running server or without one; restored into an empty data folder.
import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { copyRunningCluster, copyStoppedCluster } from '../db/embedded/backup.ts'
import { copyDurably, synced } from '../db/embedded/copy-tree.ts'
import { explainFailure } from '../db/embedded/explain-failure.ts'
import { type FolderLock, lockFolder } from '../db/embedded/folder-lock.ts'
import { clusterIn, knownHome } from '../db/embedded/location.ts'
import { putCluster } from '../db/embedded/restore.ts'
import { runningCluster } from '../db/embedded/running.ts'
import { StartError } from '../platform/start-error.ts'
import { CREDENTIALS_FILE } from './first-run/credentials-file.ts'
import { MASTER_KEY_FILE, ROOT_KEY_FILE } from './own-keys.ts'

const CLUSTER = 'postgres'
/** Those that are there: a key that comes from a setting is not. */
const SECRETS = [MASTER_KEY_FILE, ROOT_KEY_FILE, CREDENTIALS_FILE, 'postgres-password']

export interface BackedUp {
  /** Whether a server was running meanwhile. */
  running: boolean
  secrets: string[]
}

/**
 * Copies the data folder to the new folder `to`, mode 0700, whole or not at all.
 * @throws StartError when there is no database, or `to` is there already.
 */
export async function backUpDataFolder(dataDir: string, to: string): Promise<BackedUp> {
  if (await lstat(to).catch(() => null)) {
    throw new StartError(`${to} is there already, and stays as it is.`, 'Name a folder that is not there.')
  }
  const home = await knownHome(dataDir)
  if (!home) {
    throw new StartError(
      `There is no embedded database in ${dataDir}.`,
      'Set LEASEHOLD_DATA_DIR to the data folder of the server.',
    )
  }
  const cluster = clusterIn(home)
  const part = `${to}.part-${randomBytes(6).toString('hex')}`
  try {
    await mkdir(part, { mode: 0o700 })
    const url = await runningCluster(dataDir)
    if (url !== null) await copyRunningCluster(url, cluster, join(part, CLUSTER))
    else {
      const locks = await lockAll([dataDir, ...(home.outside ? [home.folder] : [])])
      await copyStoppedCluster(cluster, join(part, CLUSTER)).finally(() => releaseAll(locks))
    }
    const secrets: string[] = []
    for (const name of SECRETS) {
      if (await copyDurably(join(dataDir, name), join(part, name))) secrets.push(name)
    }
    await synced(part)
    await rename(part, to)
    await synced(dirname(to))
    return { running: url !== null, secrets }
  } catch (error) {
    await rm(part, { recursive: true, force: true })
    throw explainFailure('make the backup', to, error)
  }
}

/**
 * Makes the data folder that the backup `from` was made of. Nothing that is there is overwritten.
 * @throws StartError when `from` is no backup, or the data folder holds anything.
 */
export async function restoreDataFolder(from: string, dataDir: string): Promise<{ secrets: string[] }> {
  const cluster = join(from, CLUSTER)
  if (!(await lstat(join(cluster, 'PG_VERSION')).catch(() => null))) {
    throw new StartError(`${from} is no backup of an embedded database.`, 'Name what leasehold backup made.')
  }
  const names = await readdir(dataDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (names.length > 0) {
    throw new StartError(
      `${dataDir} is not empty, and stays as it is.`,
      'Stop the server and move that folder aside, or set LEASEHOLD_DATA_DIR to another one.',
    )
  }
  try {
    await putCluster(cluster, dataDir)
    // After the cluster: a server that starts between the two finds its keys gone, and makes no new ones.
    const secrets: string[] = []
    for (const name of SECRETS) {
      if (await copyDurably(join(from, name), join(dataDir, name))) secrets.push(name)
    }
    await synced(dataDir)
    return { secrets }
  } catch (error) {
    throw explainFailure('restore the backup', dataDir, error)
  }
}

async function lockAll(folders: readonly string[]): Promise<FolderLock[]> {
  const locks: FolderLock[] = []
  try {
    for (const folder of folders) locks.push(await lockFolder(folder))
    return locks
  } catch (error) {
    await releaseAll(locks)
    throw error
  }
}

async function releaseAll(locks: readonly FolderLock[]): Promise<void> {
  for (const lock of locks) await lock.release()
}
