// The orderly end: no new work, what is under way finishes, and not later than ten seconds.
import type { Logger } from '../platform/logger.ts'
import type { Background } from './background.ts'
import type { Listener } from './listen.ts'
import type { SyncServer } from './sync/sync-server.ts'

const LONGEST_MS = 10_000

/** Waits for requests and jobs, then closes the socket on whatever is left. */
export async function drain(
  listener: Listener,
  background: Background,
  sync: SyncServer,
  log: Logger,
): Promise<void> {
  const finished = Promise.all([listener.drain(), background.stop(), sync.stop()]).then(() => true)
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), LONGEST_MS)
  if (!(await Promise.race([finished, late]))) {
    log.warn({ waited_ms: LONGEST_MS }, 'cutting off what has not finished')
  }
  clearTimeout(timer)
  await listener.close()
}
