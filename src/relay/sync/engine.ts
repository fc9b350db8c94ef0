// When the relay speaks to the vendor by itself: regularly, on a hint, when asked, and when the vendor is back. One pass
// at a time; what comes meanwhile makes one more follow. Never sooner than the vendor asked for.
import type { Logger } from '../../platform/logger.ts'
import { type Hold, holding } from './hold.ts'
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
  /** A person asks: at once. Resolves when a pass that began after this call has ended. */
  now(): Promise<SyncOutcome>
  /** There is a reason, and the vendor is there: at once, unless it demanded patience (429), then after that. */
  soon(): void
  /** A license is not fresh: once the pause after the last pass is over. Nothing where the vendor refused that one. */
  ask(): void
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
  const hold: Hold = holding()
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let deferred: NodeJS.Timeout | undefined
  let wake: (() => void) | undefined
  let running: Promise<SyncOutcome> | undefined
  let next: Promise<SyncOutcome> | undefined
  let wasRefused = false
  /** Passes that failed in a row. */
  let failures = 0
  let askAfter = 0

  async function withRetries(): Promise<SyncOutcome> {
    for (let retry = 0; ; retry++) {
      const outcome = await once()
      if (outcome.kind === 'done' || stopped) return outcome
      // 401 and 403 say something that asking again does not change (reference, section 3).
      if (outcome.kind === 'refused' || retry >= times.syncRetries) return outcome
      const bound = times.retryDelay * 2 ** retry
      await pause(Math.max(hold.left(), bound / 2 + (port.chance() * bound) / 2))
    }
  }

  async function once(): Promise<SyncOutcome> {
    standing.lastAttempt = port.now()
    const outcome = await port.pass().catch((error: unknown): SyncOutcome => {
      log.error({ err: error }, 'a sync failed')
      return { kind: 'away', why: 'a fault of the relay; its log tells more', retryAfter: null }
    })
    hold.note(outcome.kind === 'away' ? outcome.retryAfter : null)
    wasRefused = outcome.kind === 'refused'
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
    if (stopped) return Promise.resolve({ kind: 'away', why: 'the relay stops', retryAfter: null })
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
    running = withRetries().then((outcome) => {
      running = undefined
      standing.running = false
      failures = outcome.kind === 'done' ? 0 : failures + 1
      askAfter = performance.now() + stepAfter()
      schedule()
      return outcome
    })
    return running
  }

  /** Milliseconds: the pass's own retries go on doubling, up to the regular interval. */
  function stepAfter(): number {
    if (failures === 0) return Math.min(times.retryDelay, times.syncInterval)
    return Math.min(times.syncInterval, times.retryDelay * 2 ** Math.min(times.syncRetries + failures, 30))
  }

  function soon(): void {
    if (stopped || deferred) return
    const wait = hold.demanded()
    if (wait === 0) {
      void run()
      return
    }
    deferred = setTimeout(() => {
      deferred = undefined
      soon()
    }, wait)
    deferred.unref()
  }

  function schedule(): void {
    clearTimeout(timer)
    if (stopped || !port.background) return
    // Jitter only shortens.
    const regular = times.syncInterval * (1 - port.chance() * 0.1)
    timer = setTimeout(() => void run(), Math.max(regular, hold.left()))
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
    soon,
    ask() {
      const isEarly = performance.now() < askAfter || hold.left() > 0
      if (!stopped && !running && !wasRefused && !isEarly) void run()
    },
    standing: () => ({ ...standing }),
    async stop() {
      stopped = true
      clearTimeout(timer)
      clearTimeout(deferred)
      wake?.()
      await running
    },
  }
}
