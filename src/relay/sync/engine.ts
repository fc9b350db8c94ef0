// When the relay speaks to the vendor by itself: regularly, on a hint, when asked, and when the vendor is back. One pass
// at a time; what comes meanwhile makes one more follow.
import type { Logger } from '../../platform/logger.ts'
import type { SyncOutcome } from './licenses.ts'

export interface SyncTimes {
  /** Milliseconds (BACKGROUND_SYNC_INTERVAL, SYNC_RETRY_DELAY). */
  syncInterval: number
  retryDelay: number
  /** Retries of one pass (MAX_SYNC_RETRIES). */
  syncRetries: number
}

export interface SyncPort {
  times: SyncTimes
  /** Whether passes come by themselves (ENABLE_BACKGROUND_SYNC). */
  background: boolean
  /** One pass: licenses, keys, allotments, leases, reports. */
  pass(): Promise<SyncOutcome>
  log: Logger
  /** 0 to 1. */
  chance(): number
  /** Unix milliseconds. */
  now(): number
}

export interface SyncStanding {
  /** Unix milliseconds, or null. */
  lastSuccess: number | null
  lastAttempt: number | null
  lastError: string | null
  succeeded: number
  failed: number
  running: boolean
}

export interface SyncEngine {
  /** Resolves when a pass that began after this call has ended. */
  now(): Promise<SyncOutcome>
  standing(): SyncStanding
  stop(): Promise<void>
}

export function startSync(port: SyncPort): SyncEngine {
  const { times, log } = port
  const standing: SyncStanding = {
    lastSuccess: null,
    lastAttempt: null,
    lastError: null,
    succeeded: 0,
    failed: 0,
    running: false,
  }
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let wake: (() => void) | undefined
  let running: Promise<SyncOutcome> | undefined
  let next: Promise<SyncOutcome> | undefined

  async function withRetries(): Promise<SyncOutcome> {
    for (let retry = 0; ; retry++) {
      const outcome = await once()
      if (outcome.kind === 'done' || stopped) return outcome
      // 401 and 403 say something that asking again does not change (reference, section 3).
      if (outcome.kind === 'refused' || retry >= times.syncRetries) return outcome
      const bound = times.retryDelay * 2 ** retry
      await pause(bound / 2 + (port.chance() * bound) / 2)
    }
  }

  async function once(): Promise<SyncOutcome> {
    standing.lastAttempt = port.now()
    const outcome = await port.pass().catch((error: unknown): SyncOutcome => {
      log.error({ err: error }, 'a sync failed')
      return { kind: 'away', why: 'a fault of the relay; its log tells more' }
    })
    if (outcome.kind === 'done') {
      standing.succeeded += 1
      standing.lastSuccess = port.now()
      standing.lastError = null
    } else {
      standing.failed += 1
      standing.lastError = outcome.kind === 'away' ? outcome.why : `status ${outcome.status}`
    }
    return outcome
  }

  function run(): Promise<SyncOutcome> {
    if (stopped) return Promise.resolve({ kind: 'away', why: 'the relay stops' })
    if (running) {
      // A pass that is under way may have asked before the reason for this call.
      wake?.()
      next ??= running.then(() => {
        next = undefined
        return run()
      })
      return next
    }
    standing.running = true
    clearTimeout(timer)
    running = withRetries().finally(() => {
      running = undefined
      standing.running = false
      schedule()
    })
    return running
  }

  function schedule(): void {
    clearTimeout(timer)
    if (stopped || !port.background) return
    // Jitter only shortens.
    timer = setTimeout(() => void run(), times.syncInterval * (1 - port.chance() * 0.1))
    timer.unref()
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = setTimeout(resolve, ms)
      waiting.unref()
      wake = () => {
        clearTimeout(waiting)
        resolve()
      }
    })
  }

  schedule()
  return {
    now: run,
    standing: () => ({ ...standing }),
    async stop() {
      stopped = true
      clearTimeout(timer)
      wake?.()
      await running
    },
  }
}
