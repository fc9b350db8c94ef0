// The lock that closes the gap between counting and creating. This one holds within one process.

/** Runs work while it alone holds all the names. What it hands to the work is the lock's own: a query, or nothing. */
export interface CapLock<D> {
  /** Rejects with what the work, or the lock's own client, throws. */
  hold<T>(names: readonly string[], work: (db: D) => Promise<T>): Promise<T>
}

/** First come, first served, for one process alone: two processes on one database need `postgresLock`. */
export function memoryLock(): CapLock<undefined> {
  const last = new Map<string, Promise<void>>()
  return {
    async hold(names, work) {
      const before = names.map((name) => last.get(name))
      let release = () => {}
      const done = new Promise<void>((resolve) => {
        release = resolve
      })
      // All names in one turn: two that want the same ones wait in the same order.
      for (const name of names) last.set(name, done)
      await Promise.all(before)
      try {
        return await work(undefined)
      } finally {
        release()
        for (const name of names) if (last.get(name) === done) last.delete(name)
      }
    },
  }
}
