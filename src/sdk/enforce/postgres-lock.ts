// The lock across processes: a Postgres advisory lock for each limit, on the vendor's own client.
import { type CapLock, memoryLock } from './lock.ts'
import { onOneConnection, type PostgresClient, type Query, queryOver } from './postgres.ts'

export interface PostgresLockOptions {
  /** Products that share a database need names of their own. Default `leasehold`. */
  namespace?: string
  /**
   * Connections that may be held at once; the work needs others, unless it uses the query that it is handed.
   * Default 4; a single pg client is 1.
   */
  connections?: number
  /**
   * Milliseconds after which waiting for another process fails, with Postgres' error 55P03; it also holds for locks that
   * the work takes through the query that it is handed. Default 10 000; a single pg client keeps its own.
   */
  timeout?: number
}

/** A session may take its own advisory lock twice, so all locks on one client wait in one place. */
const singles = new WeakMap<object, CapLock<undefined>>()

function lockOf(client: object): CapLock<undefined> {
  const lock = singles.get(client) ?? memoryLock()
  singles.set(client, lock)
  return lock
}

/**
 * An advisory lock for each limit, in a transaction whose query the work may use; on a single pg client a session lock.
 * Within a process it waits in memory, so that a crowd takes one connection a limit, not all there are.
 */
export function postgresLock(
  client: PostgresClient,
  { namespace = 'leasehold', connections = 4, timeout = 10_000 }: PostgresLockOptions = {},
): CapLock<Query> {
  // Fails where it is set up, not at the first create.
  queryOver(client)
  const isSingle = !('unsafe' in client) && !('totalCount' in client)
  const here = isSingle ? lockOf(client) : memoryLock()
  const slots = Array.from({ length: isSingle ? 1 : Math.max(1, connections) }, (_, i) => `slot ${i}`)
  let turn = 0

  async function underLock<T>(
    query: Query,
    scope: string,
    names: readonly string[],
    work: (db: Query) => Promise<T>,
  ) {
    const isSession = scope === 'session'
    // Not on a client that others use: it would hold for them too.
    if (!isSession) await query(`select set_config('lock_timeout', $1, true)`, [`${timeout}`])
    const held: string[] = []
    try {
      for (const name of names) {
        await query(`select pg_advisory${isSession ? '' : '_xact'}_lock(hashtextextended($1, 0))`, [name])
        held.push(name)
      }
      return await work(query)
    } finally {
      // A transaction gives them back by itself.
      if (isSession)
        for (const name of held) await query('select pg_advisory_unlock(hashtextextended($1, 0))', [name])
    }
  }

  return {
    hold(names, work) {
      // One order for all processes.
      const own = [...new Set(names)].sort().map((name) => `${namespace}:cap:${name}`)
      return here.hold(own, () => {
        const slot = slots[turn++ % slots.length] ?? ''
        return here.hold([slot], () =>
          onOneConnection(client, (query, scope) => underLock(query, scope, own, work)),
        )
      })
    },
  }
}
