// The leader's lock in a data folder: one of the processes that share it speaks with the server. A file with pid and
// boot id, touched each minute, stale after three.
import { randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { open, rename, stat, unlink, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { asStorage, codeOf } from './node-faults.ts'
import { readSmallFile } from './node-files.ts'
import type { HostClock } from './port.ts'

export const LOCK_FILE = 'leader.lock'
/** Milliseconds without a touch after which a lock is nobody's. */
export const STALE_AFTER = 3 * 60_000

interface Holder {
  pid: number
  /** Where the pid means something: boot and, on Linux, pid namespace. */
  boot_id: string
  token: string
}

export interface LeaderLock {
  /** Takes, or keeps and touches, the lock. False while another process holds it. @throws StorageFault */
  lead(): Promise<boolean>
  release(): Promise<void>
}

/** Locks that this very process holds: a lock with our pid that is not among them is a dead process's. */
const held = new Set<string>()

export function leaderLock(folder: string, clock: HostClock): LeaderLock {
  const path = join(folder, LOCK_FILE)
  const own: Holder = { pid: process.pid, boot_id: bootId(), token: randomBytes(12).toString('hex') }
  let seen: { mtime: number; at: number } | null = null

  async function keep(): Promise<boolean> {
    if (!held.has(own.token)) return false
    const holder = readHolder(await readSmallFile(path))
    if (holder?.token !== own.token) {
      // Another process took it while this one slept: it leads now.
      held.delete(own.token)
      return false
    }
    await touch()
    return true
  }

  async function create(): Promise<boolean> {
    try {
      const file = await open(path, 'wx', 0o600)
      await file.writeFile(JSON.stringify(own)).finally(() => file.close())
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      throw error
    }
    held.add(own.token)
    await touch()
    return true
  }

  async function touch(): Promise<void> {
    const now = clock.wall() / 1000
    await utimes(path, now, now)
  }

  /** The lock's text, if it is nobody's any more. */
  async function staleText(): Promise<string | null> {
    const text = await readSmallFile(path)
    if (text === null) return null
    const holder = readHolder(text)
    if (holder && holder.boot_id === own.boot_id && !isAlive(holder)) return text
    const { mtimeMs } = await stat(path)
    if (clock.wall() - mtimeMs > STALE_AFTER) return text
    // Dates may be wrong on either side; a lock that nobody touches while we watch is stale whatever they say.
    if (seen?.mtime !== mtimeMs) seen = { mtime: mtimeMs, at: clock.monotonic() }
    return clock.monotonic() - seen.at > STALE_AFTER ? text : null
  }

  /** Moves a stale lock away; puts it back if another process was faster and this is its own. */
  async function clear(expected: string): Promise<void> {
    const away = `${path}.${own.token}`
    await rename(path, away)
    const moved = await readSmallFile(away)
    if (moved === expected || moved === null) await unlink(away)
    else await rename(away, path)
  }

  return {
    lead: () =>
      asStorage(path, async () => {
        if ((await keep()) || (await create())) return true
        const stale = await staleText().catch(ignoreMissing)
        if (stale === null) return false
        await clear(stale).catch(ignoreMissing)
        return create()
      }),
    async release() {
      if (!held.delete(own.token)) return
      try {
        if (readHolder(await readSmallFile(path))?.token === own.token) await unlink(path)
      } catch {
        // It will be stale in three minutes.
      }
    },
  }
}

function isAlive({ pid, token }: Holder): boolean {
  if (pid === process.pid) return held.has(token)
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

function readHolder(text: string | null): Holder | null {
  try {
    const holder: unknown = JSON.parse(text ?? '')
    if (typeof holder !== 'object' || holder === null) return null
    const { pid, boot_id, token } = holder as Record<string, unknown>
    const isHolder = Number.isInteger(pid) && typeof boot_id === 'string' && typeof token === 'string'
    return isHolder ? { pid: Number(pid), boot_id, token } : null
  } catch {
    return null
  }
}

function bootId(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return hostname()
  }
}

function ignoreMissing(error: unknown): null {
  if (codeOf(error) === 'ENOENT') return null
  throw error
}
