// Copies folders of a database file by file, each on disk before the copy counts. Knows nothing of what is in them.
import { constants } from 'node:fs'
import { chmod, chown, copyFile, lchown, mkdir, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Whether a file or folder belongs into the copy; `path` is relative, with `/`. */
export type Wanted = (path: string, isFolder: boolean) => boolean

/**
 * Copies what is wanted of `from` into the new folder `to`. What vanishes meanwhile is left out: a database that runs
 * drops files. Folders get mode 0700, files 0600, as PostgreSQL wants them.
 */
export async function copyTree(from: string, to: string, wanted: Wanted, path = ''): Promise<void> {
  await mkdir(join(to, path), { mode: 0o700 })
  for (const entry of await readdir(join(from, path), { withFileTypes: true })) {
    const at = path === '' ? entry.name : `${path}/${entry.name}`
    if (!wanted(at, entry.isDirectory())) continue
    if (entry.isDirectory()) await copyTree(from, to, wanted, at)
    else if (entry.isFile()) await copyDurably(join(from, at), join(to, at))
  }
  await synced(join(to, path))
}

/** Copies one file, mode 0600; resolves once it is on disk. False when there is none. */
export async function copyDurably(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !(await isThere(from))) return false
    throw error
  }
  await chmod(to, 0o600)
  await synced(to)
  return true
}

/** Gives the folder and all in it to an account. */
export async function giveTo(folder: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) await lchown(join(folder, name), uid, gid)
  await chown(folder, uid, gid)
}

export async function synced(path: string): Promise<void> {
  const handle = await open(path, 'r')
  await handle.sync().finally(() => handle.close())
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
