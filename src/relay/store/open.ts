// The relay's file on disk: opened, made, and set aside when it is torn. Owns no table but the note of that.
import { chmodSync, existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Logger } from '../../platform/logger.ts'
import { StartError } from '../../platform/start-error.ts'
import { makeTables } from './format.ts'

const FILE = 'relay.sqlite'
const LOST = 'cache-lost'

/**
 * Opens the file in `folder` (made with mode 0700), files 0600. A torn or foreign one is set aside and made anew: the
 * vendor has everything that was in it but reports that were not delivered yet.
 * @throws StartError when the folder cannot be written or others may read it.
 */
export function openDatabase(folder: string, log: Logger): DatabaseSync {
  makeFolder(folder)
  const path = join(folder, FILE)
  try {
    return attempt(path)
  } catch (error) {
    if (!isTorn(error) || !existsSync(path)) throw unwritable(path, error)
    const aside = `${path}.torn-${Math.trunc(statSync(path).mtimeMs)}`
    log.error({ err: error, kept_as: aside }, 'the cache is torn: it is set aside and made anew')
    try {
      // The log goes with its file: it may hold what the file does not.
      for (const tail of ['', '-wal', '-shm'])
        if (existsSync(path + tail)) renameSync(path + tail, aside + tail)
      const database = attempt(path)
      noteLost(database)
      return database
    } catch (again) {
      throw unwritable(path, again)
    }
  }
}

/** Unix milliseconds at which the cache was last made anew in place of a torn one; null if it never was. */
export function lostAt(database: DatabaseSync): number | null {
  const row = database.prepare('select changed_at from documents where name = ?').get(LOST)
  return row === undefined ? null : Number(row.changed_at)
}

function noteLost(database: DatabaseSync): void {
  database
    .prepare("insert into documents (name, content, changed_at) values (?, '', ?)")
    .run(LOST, Date.now())
}

function attempt(path: string): DatabaseSync {
  const before = process.umask(0o077)
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { timeout: 5000 })
    // FULL: a report that was acknowledged has survived a power cut.
    // Exclusive: one relay a folder, because a second one would lease the same seats.
    database.exec('pragma locking_mode = exclusive; pragma journal_mode = wal; pragma synchronous = full')
    const check = database.prepare('pragma quick_check(1)').get()?.quick_check
    if (check !== 'ok') throw new TornDatabase(`quick_check: ${String(check)}`)
    makeTables(database)
    chmodSync(path, 0o600)
    return database
  } catch (error) {
    database?.close()
    throw error
  } finally {
    process.umask(before)
  }
}

class TornDatabase extends Error {}

/** SQLITE_CORRUPT and SQLITE_NOTADB, or what the check found. A full disk or another process's lock is neither. */
function isTorn(error: unknown): boolean {
  if (error instanceof TornDatabase) return true
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  return code === 11 || code === 26
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw unwritable(folder, error)
  }
  const { mode, uid } = statSync(folder)
  if (uid === process.getuid?.() && (mode & 0o077) === 0) return
  throw new StartError(
    `Others may look into the relay's folder ${folder}, where its key lies.`,
    `Make it this user's own: chown and chmod 700 ${folder}.`,
  )
}

const unwritable = (path: string, error: unknown) =>
  new StartError(
    `${path} cannot be opened (${error instanceof Error ? error.message : 'unknown reason'}).`,
    'Give the relay a folder that it may write to, with some space on its disk: LEASEHOLD_RELAY_DIR.',
    { cause: error },
  )
