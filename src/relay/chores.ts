// What the relay does by the clock beside its syncs: thresholds are looked at, the cache is cleaned up.
import type { Logger } from '../platform/logger.ts'

const LOOK_MS = 60_000

export interface Chores {
  look(): void
  /** Null where it is switched off (ENABLE_CACHE_CLEANUP). */
  clean: (() => Promise<void>) | null
  /** Milliseconds (CLEANUP_INTERVAL). */
  cleanupInterval: number
  log: Logger
}

/** Returns what ends them. */
export function startChores({ look, clean, cleanupInterval, log }: Chores): () => void {
  /** A disk that is full must not end the relay: what is in memory goes on. */
  const guarded = (work: () => unknown) => () => {
    void (async () => work())().catch((error: unknown) => log.error({ err: error }, 'a chore failed'))
  }
  const timers = [
    setInterval(guarded(look), LOOK_MS),
    ...(clean === null ? [] : [setInterval(guarded(clean), cleanupInterval)]),
  ]
  for (const timer of timers) timer.unref()
  return () => timers.forEach(clearInterval)
}
