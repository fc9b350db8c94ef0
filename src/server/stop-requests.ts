// Why and when this process is to stop: a signal, or a fault that it cannot go on with. The second signal does not wait.
import type { Logger } from '../platform/logger.ts'

export interface StopRequests {
  /** Resolves with the exit code once the process is to stop. */
  readonly requested: Promise<number>
  isRequested(): boolean
  /** Stops the process with this exit code. The first request counts. */
  request(code: number): void
  /** Stops the process with exit code 1: what happened is logged. */
  fail(error: unknown, message: string): void
  /** `abandon` runs, and must be quick, before a second signal ends the process with exit code 1. */
  onAbandon(abandon: () => void): void
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const
/** One Ctrl-C in a terminal reaches us twice under `npm start`: from the terminal, and passed on by npm. */
const SAME_PRESS_MS = 200

export function stopRequests(log: Logger): StopRequests {
  const abandoning: (() => void)[] = []
  const { promise, resolve } = Promise.withResolvers<number>()
  let requestedAt: number | undefined
  const request = (code: number) => {
    requestedAt ??= performance.now()
    resolve(code)
  }
  const fail = (error: unknown, message: string) => {
    log.error({ err: error }, message)
    request(1)
  }
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (requestedAt === undefined) {
        log.info({ signal }, 'stopping')
        request(0)
      } else if (performance.now() - requestedAt > SAME_PRESS_MS) {
        log.warn({ signal }, 'stopping at once')
        for (const abandon of abandoning) abandon()
        process.exit(1)
      }
    })
  }
  process.on('uncaughtException', (error) => fail(error, 'uncaught error: stopping'))
  process.on('unhandledRejection', (error) => fail(error, 'unhandled rejection: stopping'))
  return {
    requested: promise,
    isRequested: () => requestedAt !== undefined,
    request,
    fail,
    onAbandon: (abandon) => void abandoning.push(abandon),
  }
}
