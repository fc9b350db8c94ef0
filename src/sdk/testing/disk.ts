// A disk in memory for tests: texts that outlive a restart, the leader's lock, and the faults that disks have.
import { type HostClock, type HostStorage, limitOf, StorageFault, type StorageProblem } from '../host/port.ts'

/** Milliseconds without a touch after which a lock is nobody's. */
const STALE_AFTER = 3 * 60_000

/** One process, as far as a lock is concerned. */
export interface DiskUser {
  readonly alive: boolean
}

export interface MemoryDisk {
  /** Texts by path; a test may read, write and spoil them. */
  readonly files: Map<string, string>
  /** From now on every access fails like this; null ends it. Reading a `read_only` or `full` disk still works. */
  fail(problem: StorageProblem | null): void
  /** Opens a folder for one process. */
  open(folder: string, user: DiskUser, clock: HostClock): Promise<HostStorage>
}

interface Lock {
  user: DiskUser
  storage: HostStorage
  touchedAt: number
}

export function memoryDisk(): MemoryDisk {
  const files = new Map<string, string>()
  const locks = new Map<string, Lock>()
  let problem: StorageProblem | null = null

  function check(access: 'read' | 'write'): void {
    if (problem === null) return
    if (access === 'read' && (problem === 'read_only' || problem === 'full')) return
    throw new StorageFault(problem, `the test's disk is failing: ${problem}`)
  }

  function openFolder(place: string, user: DiskUser, clock: HostClock): HostStorage {
    const path = (name: string) => `${place}/${name}`
    const storage: HostStorage = {
      place,
      async read(name) {
        check('read')
        return files.get(path(name)) ?? null
      },
      async write(name, text) {
        check('write')
        if (text.length > limitOf(name)) throw new StorageFault('too_large', `${name} is too large`)
        files.set(path(name), text)
      },
      async remove(name) {
        check('write')
        files.delete(path(name))
      },
      async setAside(name) {
        const text = files.get(path(name))
        if (text === undefined || problem !== null) return
        files.delete(path(name))
        files.set(`${path(name)}.aside-1`, text)
      },
      async lead() {
        check('write')
        const lock = locks.get(place)
        const now = clock.monotonic()
        const isOthers = lock && lock.storage !== storage && lock.user.alive
        if (isOthers && now - lock.touchedAt <= STALE_AFTER) return false
        locks.set(place, { user, storage, touchedAt: now })
        return true
      },
      async release() {
        if (locks.get(place)?.storage === storage) locks.delete(place)
      },
    }
    return storage
  }

  return {
    files,
    fail(next) {
      problem = next
    },
    async open(folder, user, clock) {
      check('read')
      return openFolder(folder, user, clock)
    },
  }
}
