// The orderly end: first nothing changes but readiness, so that load balancers look elsewhere; then no new work, and
// what is under way finishes, not later than ten seconds.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../platform/logger.ts'
import type { Background } from './background.ts'
import type { Listener } from './listen.ts'

/** Milliseconds. */
export const LONGEST_DRAIN_MS = 10_000

/** Answers everything for `graceSeconds` more. Whoever comes over a kept connection is asked to come over a new one. */
export async function linger(listener: Listener, graceSeconds: number, log: Logger): Promise<void> {
  if (graceSeconds === 0) return
  log.info({ seconds: graceSeconds }, 'not ready any more, and still answering')
  listener.sendAway()
  await sleep(graceSeconds * 1000)
}

/** Waits for requests, and for whatever else is to end, then closes the socket on what is left. */
export async function drain(listener: Listener, others: readonly Background[], log: Logger): Promise<void> {
  await withinLimit([listener.drain(), ...others.map((other) => other.stop())], log)
  await listener.close()
}

/** Waits until all have ended, and not longer than the limit. */
export async function withinLimit(ending: readonly Promise<void>[], log: Logger): Promise<void> {
  const finished = Promise.all(ending).then(() => true)
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), LONGEST_DRAIN_MS)
  if (!(await Promise.race([finished, late]))) {
    log.warn({ waited_ms: LONGEST_DRAIN_MS }, 'cutting off what has not finished')
  }
  clearTimeout(timer)
}
