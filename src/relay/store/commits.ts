// What is written in one turn of the event loop is committed once: each commit waits for the disk, and holds up all else
// meanwhile. Owns the transactions, and nothing that is written in them.
import type { DatabaseSync } from 'node:sqlite'

export interface Commits {
  /** Writes all that `work` writes, or nothing of it where it throws. It is on disk when a watch says so. */
  write<T>(work: () => T): T
  /**
   * Begins a watch. Calling what it returns resolves once everything that was written since is on disk, and rejects
   * where any of it may not be: nothing of it is acknowledged then.
   */
  watch(): () => Promise<void>
  /** Told after writes were lost with their transaction: what is counted in memory is to be counted anew. */
  onLost(tell: () => void): void
  /** Commits so far. */
  count(): number
  /** Commits what is open. Nothing is written afterwards. */
  close(): void
}

/** Milliseconds of a commit that are not worth a rest. */
const QUICK = 2

export function groupCommits(database: DatabaseSync): Commits {
  const listeners: (() => void)[] = []
  let group: PromiseWithResolvers<void> | null = null
  let isInside = false
  let commits = 0
  let losses = 0
  let restUntil = 0

  function open(): void {
    database.exec('begin immediate')
    group = Promise.withResolvers<void>()
    // Whoever waits for it hears of it.
    group.promise.catch(() => {})
    // A slow disk gets as long a rest as it took: half of the time stays for everything that is not the disk.
    const rest = restUntil - performance.now()
    if (rest > QUICK) setTimeout(commit, rest)
    else setImmediate(commit)
  }

  function commit(): void {
    if (group === null) return
    const closing = group
    const began = performance.now()
    try {
      database.exec('commit')
    } catch (error) {
      lose(error)
      return
    } finally {
      const now = performance.now()
      restUntil = now + (now - began)
    }
    commits += 1
    group = null
    closing.resolve()
  }

  /** The disk is full, or worse: SQLite may have rolled it back by itself. */
  function lose(error: unknown): void {
    if (database.isOpen && database.isTransaction) database.exec('rollback')
    const lost = group
    group = null
    losses += 1
    tellLost()
    lost?.reject(error)
  }

  function tellLost(): void {
    for (const tell of listeners) {
      try {
        tell()
      } catch {
        // The disk does not answer at all: what is counted stays a guess until it does.
      }
    }
  }

  return {
    write(work) {
      if (isInside) return work()
      if (group === null) open()
      isInside = true
      try {
        database.exec('savepoint one')
        const result = work()
        database.exec('release one')
        return result
      } catch (error) {
        if (database.isTransaction) {
          database.exec('rollback to one; release one')
          tellLost()
        } else lose(error)
        throw error
      } finally {
        isInside = false
      }
    },
    watch() {
      const before = losses
      return async () => {
        await group?.promise
        if (losses !== before) throw new Error('what was written was lost with its transaction')
      }
    },
    onLost: (tell) => void listeners.push(tell),
    count: () => commits,
    close: commit,
  }
}
