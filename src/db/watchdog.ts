// Tells work that waits for the database when the database has stopped answering. A frozen server or a cut network
// gives no error for minutes; a request must not wait that long to learn it.
import { setImmediate } from 'node:timers/promises'
import type postgres from 'postgres'

const FIRST_LOOK_MS = 300
const PROBE_TIMEOUT_MS = 500

export class DatabaseSilentError extends Error {
  override readonly name = 'DatabaseSilentError'
  /** Read by isDatabaseAway. */
  readonly code = 'CONNECT_TIMEOUT'
}

export interface Watchdog {
  /** Settles as `work` does, or rejects with DatabaseSilentError once a probe finds the database silent. */
  guard<T>(work: Promise<T>): Promise<T>
  /** Resolves to true when the database answers in time: within half a second, unless another time was given. */
  answers(): Promise<boolean>
  close(): Promise<void>
}

/**
 * A busy event loop runs late timers before it reads sockets: the answer may have been there for long. After two turns
 * of the loop everything that had arrived was read.
 */
async function afterPoll(): Promise<void> {
  await setImmediate()
  await setImmediate()
}

/**
 * Probes only while something waits: nothing runs when all requests are quick. `probe` must be a client of its own
 * with one connection, so that a busy pool is not taken for a dead database; `probeTimeoutMs` is what it may take.
 */
export function databaseWatchdog(probe: postgres.Sql, probeTimeoutMs = PROBE_TIMEOUT_MS): Watchdog {
  const waiting = new Set<(error: Error) => void>()
  let looking = false

  const answers = async (): Promise<boolean> => {
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => void afterPoll().then(() => resolve(false)), probeTimeoutMs)
    })
    const query = probe`select 1`.then(
      () => true,
      () => false,
    )
    const answered = await Promise.race([query, timeout])
    clearTimeout(timer)
    return answered
  }

  const look = async (): Promise<void> => {
    if (looking) return
    looking = true
    while (waiting.size > 0) {
      if (await answers()) {
        await new Promise((resolve) => setTimeout(resolve, FIRST_LOOK_MS).unref())
        continue
      }
      // Those that came during the probe too: they must not wait for another one.
      for (const reject of waiting) reject(new DatabaseSilentError('the database does not answer'))
      waiting.clear()
    }
    looking = false
  }

  const guard = <T>(work: Promise<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.add(reject)
        void look()
      }, FIRST_LOOK_MS)
      const settled = () => {
        clearTimeout(timer)
        waiting.delete(reject)
      }
      work.then(
        (value) => {
          settled()
          resolve(value)
        },
        (error: unknown) => {
          settled()
          reject(error as Error)
        },
      )
    })

  return { guard, answers, close: () => probe.end({ timeout: 1 }) }
}
