// A token bucket per address, in this process's memory. Bounded: the address that was idle longest is forgotten.
import type { Clock } from '../../platform/clock.ts'

export interface RateLimit {
  /** Takes one token. `retryAfter` is in seconds, 0 when the request may pass. */
  take(address: string): { retryAfter: number }
  /** Gives one token back. */
  refund(address: string): void
}

const MOST_ADDRESSES = 50_000

/** `perMinute` requests a minute and address; a full minute's worth may come at once. */
export function tokenBuckets(clock: Clock, perMinute: number): RateLimit {
  const buckets = new Map<string, { tokens: number; at: number }>()
  const perMillisecond = perMinute / 60_000
  const look = (address: string) => {
    const now = clock.monotonic()
    const found = buckets.get(address)
    const tokens = found ? Math.min(perMinute, found.tokens + (now - found.at) * perMillisecond) : perMinute
    return { tokens, at: now }
  }
  const verdict = (tokens: number) => ({
    retryAfter: tokens >= 1 ? 0 : Math.max(1, Math.ceil((1 - tokens) / perMillisecond / 1000)),
  })
  return {
    refund(address) {
      const found = buckets.get(address)
      if (found) found.tokens = Math.min(perMinute, found.tokens + 1)
    },
    take(address) {
      const bucket = look(address)
      const answer = verdict(bucket.tokens)
      if (answer.retryAfter === 0) bucket.tokens -= 1
      // Deleting first moves the address to the young end of the map.
      buckets.delete(address)
      buckets.set(address, bucket)
      if (buckets.size > MOST_ADDRESSES) {
        const [oldest] = buckets.keys()
        if (oldest !== undefined) buckets.delete(oldest)
      }
      return answer
    },
  }
}

export const unlimited: RateLimit = {
  refund: () => undefined,
  take: () => ({ retryAfter: 0 }),
}
