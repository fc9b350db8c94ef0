// One transaction, tried again when Postgres asks for it; within another one, a savepoint of it.
import type { Database, Transaction } from './client.ts'
import { isTransient } from './errors.ts'

const ATTEMPTS = 4
const committed = new WeakMap<Transaction, (() => void)[]>()

/**
 * Runs `work` in one READ COMMITTED transaction and commits. A serialization failure, deadlock or lock timeout runs it
 * again, at most three times; `work` must therefore touch nothing but `tx`. Where it cannot be run again, `attempts` is
 * 1. Where `db` is itself the `tx` of this function, the outer one commits both, and hooks wait for that.
 */
export async function transaction<T>(
  db: Database,
  work: (tx: Transaction) => Promise<T>,
  { attempts = ATTEMPTS }: { attempts?: number } = {},
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const hooks: (() => void)[] = []
    try {
      const result = await db.transaction((tx) => {
        committed.set(tx, hooks)
        return work(tx)
      })
      const outer = committed.get(db as Transaction)
      if (outer) outer.push(...hooks)
      else for (const hook of hooks) hook()
      return result
    } catch (error) {
      if (attempt === attempts || !isTransient(error)) throw error
    }
  }
}

/** Runs `hook` once the transaction has committed; never when it is rolled back. The hook must not throw. */
export function afterCommit(tx: Transaction, hook: () => void): void {
  const hooks = committed.get(tx)
  if (!hooks) throw new Error('afterCommit needs a transaction of transaction()')
  hooks.push(hook)
}
