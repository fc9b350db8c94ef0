// Folders for databases that live as long as a test: in memory where there is room, so that making files costs nothing.
import { accessSync, constants, statfsSync } from 'node:fs'
import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** On a disk the file system alone may need 200 ms for the 300 files of a new database. */
const MEMORY = '/dev/shm'
const ENOUGH = 1 << 30

/** Where temporary folders are made. */
export const TEMPORARY = hasRoom(MEMORY) ? MEMORY : tmpdir()

/** A new folder that other accounts may pass through: as root, the database runs under one of its own. */
export async function temporaryFolder(prefix: string): Promise<string> {
  const folder = await mkdtemp(join(TEMPORARY, prefix))
  await chmod(folder, 0o711)
  return folder
}

function hasRoom(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize >= ENOUGH
  } catch {
    return false
  }
}
