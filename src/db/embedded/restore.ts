// Puts the copy of a cluster where the server looks for it: into an empty data folder, or, as root, where the database's
// account can reach it. Overwrites nothing, starts nothing.
import { randomBytes } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { databaseAccount } from './account.ts'
import { UNFINISHED } from './cluster.ts'
import { copyTree, giveTo, synced } from './copy-tree.ts'
import { chooseHome, clusterIn, letPass, makeDataFolder, SYSTEM_FOLDERS } from './location.ts'

/** The data folder must be empty or absent: it is made. Whole or not there. */
export async function putCluster(
  copy: string,
  dataDir: string,
  systemFolders: readonly string[] = SYSTEM_FOLDERS,
): Promise<void> {
  const folder = await makeDataFolder(dataDir)
  const account = await databaseAccount(undefined)
  if (account && folder === 'made') await letPass(dataDir, account)
  const home = await chooseHome(dataDir, account, systemFolders)
  const part = join(home.folder, UNFINISHED + randomBytes(6).toString('hex'))
  try {
    await copyTree(copy, part, () => true)
    if (account) await giveTo(part, account)
    await rename(part, clusterIn(home))
    await synced(home.folder)
  } catch (error) {
    await rm(part, { recursive: true, force: true })
    throw error
  }
}
