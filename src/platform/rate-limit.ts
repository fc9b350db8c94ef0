// Token buckets by key, in this process's memory. Bounded: the key that was idle longest is forgotten.
import type { Clock } from './clock.ts'

export interface Taken {
  /** Seconds until one may pass; 0 when this one may. */
  retryAfter: number
}

export interface RateLimit {
  /** Requests in a window of so many seconds; null: without limit. */
  readonly policy: { quota: number; window: number } | null
  /** Takes one token. */
  take(key: string): Taken
  /** Gives one token back. */
  refund(key: string): void
  /** What is left, and the seconds until all of it is there again. Takes nothing. */
  left(key: string): { remaining: number; reset: number }
}

const MOST_KEYS = 50_000
const MINUTE_MS = 60_000

/** `quota` requests a window (milliseconds) and key; a full window's worth may come at once. */
export function tokenBuckets(clock: Pick<Clock, 'monotonic'>, quota: number, window = MINUTE_MS): RateLimit {
  const buckets = new Map<string, { tokens: number; at: number }>()
  const perMillisecond = quota / window
  const look = (key: string) => {
    const now = clock.monotonic()
    const found = buckets.get(key)
    const tokens = found ? Math.min(quota, found.tokens + (now - found.at) * perMillisecond) : quota
    return { tokens, at: now }
  }
  const verdict = (tokens: number) => ({
    retryAfter: tokens >= 1 ? 0 : Math.max(1, Math.ceil((1 - tokens) / perMillisecond / 1000)),
  })
  return {
    policy: { quota, window: window / 1000 },
    refund(key) {
      const found = buckets.get(key)
      if (found) found.tokens = Math.min(quota, found.tokens + 1)
    },
    take(key) {
      const bucket = look(key)
      const answer = verdict(bucket.tokens)
      if (answer.retryAfter === 0) bucket.tokens -= 1
      // Deleting first moves the key to the young end of the map.
      buckets.delete(key)
      buckets.set(key, bucket)
      if (buckets.size > MOST_KEYS) {
        const [oldest] = buckets.keys()
        if (oldest !== undefined) buckets.delete(oldest)
      }
      return answer
    },
    left(key) {
      const { tokens } = look(key)
      return {
        remaining: Math.floor(tokens),
        reset: Math.ceil((quota - tokens) / perMillisecond / 1000),
      }
    },
  }
}

export const unlimited: RateLimit = {
  policy: null,
  refund: () => undefined,
  take: () => ({ retryAfter: 0 }),
  left: () => ({ remaining: 0, reset: 0 }),
}

/** The limit of a setting; null is off. */
export const rateLimitOf = (clock: Clock, limit: { readonly perMinute: number } | null): RateLimit =>
  limit ? tokenBuckets(clock, limit.perMinute) : unlimited
