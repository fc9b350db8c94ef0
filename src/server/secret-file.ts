// Files of the data folder that hold secrets: mode 0600, replaced in one step, on disk before anybody relies on them.
import { randomBytes } from 'node:crypto'
import { chmod, lstat, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StartError } from '../platform/start-error.ts'

const MODE = 0o600
const MOST_BYTES = 65_536

/**
 * The content, or null when there is no such file. A mode that lets others read it is corrected.
 * @throws StartError when the file was made by another user than root, us or the folder's owner, or is no file.
 */
export async function readSecretFile(folder: string, name: string): Promise<string | null> {
  const path = join(folder, name)
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw unreadable(path, error)
  })
  if (!found) return null
  const owners = new Set([0, process.getuid?.(), (await lstat(folder)).uid])
  if (!found.isFile() || !owners.has(found.uid) || found.size > MOST_BYTES) {
    throw new StartError(`${path} was not made by this server.`, 'Find out who made it, and remove it.')
  }
  if ((found.mode & 0o077) !== 0) await chmod(path, MODE)
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw unreadable(path, error)
  })
}

/** Writes the whole file or none of it; it has survived a power cut when this resolves. */
export async function writeSecretFile(folder: string, name: string, content: string): Promise<void> {
  const part = join(folder, `${name}.${randomBytes(6).toString('hex')}`)
  try {
    const handle = await open(part, 'wx', MODE)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(part, join(folder, name))
    await syncFolder(dirname(part))
  } catch (error) {
    await rm(part, { force: true })
    const { code } = error as NodeJS.ErrnoException
    throw new StartError(
      `${join(folder, name)} cannot be written (${code ?? 'unknown reason'}).`,
      'Give the user of the server a data folder that it may write to, with some space on its disk.',
      { cause: error },
    )
  }
}

/** A rename is on disk only when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}

const unreadable = (path: string, error: NodeJS.ErrnoException) =>
  new StartError(
    `${path} cannot be read (${error.code ?? 'unknown reason'}).`,
    'Start the server as the user that owns it, or give it the file.',
  )
