// When the next request is due. Pure: takes random numbers from 0 to 1, gives milliseconds from now (reference, section 2).

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY_MS = 24 * HOUR

/** The step of the first retry, and the longest (also the longest `Retry-After` that is honoured, T1). */
export const FIRST_RETRY = MINUTE
export const LONGEST_RETRY = HOUR
/** Under this much left of a lease a refresh is forced. */
const FORCED_BELOW = 48 * HOUR
/** Jitter only shortens, by at most this share. */
const JITTER = 0.1
/** What a server may ask for (T1). */
const LEAST_INTERVAL = 5 * MINUTE
const MOST_INTERVAL = DAY_MS

export interface Lease {
  /** Milliseconds that the lease runs as a whole, and that are left of it. */
  life: number
  left: number
}

/** `min(interval, life / 2)`: a lease of 24 h is renewed every 12 h, not without rest. */
export function regularInterval(interval: number, lease: Lease | null): number {
  return lease === null ? interval : Math.max(FIRST_RETRY, Math.min(interval, lease.life / 2))
}

/** Until a refresh is forced: `max(exp − 48 h, iat + (exp − iat) / 2)`. May be negative. */
export function untilForced({ life, left }: Lease): number {
  return left - Math.min(FORCED_BELOW, life / 2)
}

/** An interval, shortened by chance. */
export function jittered(interval: number, random: number): number {
  return interval * (1 - JITTER * random)
}

/**
 * The first run after a start: uniform over a jittered interval. That is the resting distribution of the runs that
 * follow, so that a fleet which was started together is spread evenly from the first day on.
 */
export function firstRun(interval: number, random: number, second: number): number {
  return jittered(interval, second) * random
}

export interface RefreshTiming {
  interval: number
  lease: Lease | null
  /** True for the first scheduled run of this process. */
  first: boolean
  random: readonly [number, number]
}

/** Until the next refresh after one that succeeded: never sooner than the retry step. */
export function untilRefresh({ interval, lease, first, random }: RefreshTiming): number {
  const regular = regularInterval(interval, lease)
  const run = first ? firstRun(regular, ...random) : jittered(regular, random[0])
  const forced = lease === null ? run : untilForced(lease)
  return Math.max(FIRST_RETRY, Math.min(run, forced))
}

/** Until the next try after `failures` in a row (from 1): full jitter between 1 min and a step that doubles to 1 h. */
export function untilRetry(failures: number, retryAfter: number | null, random: number): number {
  const step = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** Math.min(failures, 10))
  const backoff = FIRST_RETRY + (step - FIRST_RETRY) * random
  return Math.max(backoff, clampRetryAfter(retryAfter))
}

/** Milliseconds of a `Retry-After`, honoured up to 1 h; 0 for none. */
export function clampRetryAfter(retryAfter: number | null): number {
  return retryAfter === null ? 0 : Math.min(LONGEST_RETRY, Math.max(0, retryAfter))
}

/** An interval that a server asked for, in seconds → milliseconds, clamped; null where it is no number. */
export function clampInterval(seconds: unknown): number | null {
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds <= 0) return null
  return Math.min(MOST_INTERVAL, Math.max(LEAST_INTERVAL, seconds * 1000))
}
