// Small private files on Node: read without following links, replaced whole or not at all (reference, section 2).
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readdir, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { asStorage, codeOf } from './node-faults.ts'
import { MAX_TEXT, StorageFault } from './port.ts'

// Windows knows no O_NOFOLLOW and no O_NONBLOCK; the check by name remains.
const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants

/** The text of a plain file; null where there is none. @throws StorageFault `symlink`, `too_large`, `denied`, `failed` */
export function readSmallFile(path: string, limit: number = MAX_TEXT): Promise<string | null> {
  return asStorage(path, async () => {
    let file: FileHandle
    try {
      await refuseLink(path)
      // A pipe that nobody writes to must not hold the start up.
      file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null
      throw error
    }
    try {
      const stat = await file.stat()
      if (!stat.isFile()) throw new StorageFault('failed', `${path}: not a file`)
      if (stat.size > limit) throw tooLarge(path, limit)
      return await readAll(file, path, limit)
    } finally {
      await file.close()
    }
  })
}

/** Also of a file that grows while it is read, no more than the limit. */
async function readAll(file: FileHandle, path: string, limit: number): Promise<string> {
  const buffer = Buffer.alloc(limit + 1)
  let length = 0
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length)
    if (bytesRead === 0) return buffer.toString('utf8', 0, length)
    length += bytesRead
  }
  throw tooLarge(path, limit)
}

const tooLarge = (path: string, limit: number) =>
  new StorageFault('too_large', `${path}: larger than ${limit} bytes`)

/** Writes beside, syncs, renames: whatever happens, the old or the new text is there. Mode 0600. @throws StorageFault */
export function replaceFile(path: string, text: string, limit: number = MAX_TEXT): Promise<void> {
  return asStorage(path, async () => {
    if (Buffer.byteLength(text) > limit) throw tooLarge(path, limit)
    await refuseLink(path)
    const beside = `${path}.${randomBytes(6).toString('hex')}.tmp`
    const file = await open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } catch (error) {
      await file.close()
      await unlink(beside).catch(() => {})
      throw error
    }
    await file.close()
    try {
      await rename(beside, path)
    } catch (error) {
      await unlink(beside).catch(() => {})
      throw error
    }
    await syncFolder(dirname(path))
  })
}

/** What processes left that were killed while writing. Only the one that may write calls this. */
export async function removeLeftovers(folder: string, names: readonly string[]): Promise<void> {
  const entries = await readdir(folder).catch(() => [])
  const leftover = /^(.+)\.[0-9a-f]{12}\.tmp$/
  for (const entry of entries) {
    const name = leftover.exec(entry)?.[1]
    if (name !== undefined && names.includes(name)) await unlink(join(folder, entry)).catch(() => {})
  }
}

export async function refuseLink(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isSymbolicLink()) throw new StorageFault('symlink', `${path}: is a symbolic link`)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

/** The rename itself has to survive a power cut; where a folder cannot be synced, it is as good as it gets. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, O_RDONLY)
    await handle.sync().finally(() => handle.close())
  } catch {
    // Windows, and some network file systems.
  }
}
