// Bounds what one address sends without any credential: at the vendor all of a site shares the relay's address.
import { getConnInfo } from '@hono/node-server/conninfo'
import type { Context } from 'hono'
import { networkOf } from '../../platform/network.ts'
import { type RateLimit, tokenBuckets } from '../../platform/rate-limit.ts'
import type { Exchange } from './answers.ts'

/** Requests a minute. A fifth of what the vendor takes of newcomers in an hour. */
export const STRANGERS_PER_MINUTE = 60

/** Those that the vendor answers without a proof. */
const OPEN: readonly Exchange[] = ['register', 'heartbeat']

/** Seconds to wait before this request is sent on; 0 when it may be. */
export function strangerBound(monotonic: () => number): (c: Context, what: Exchange) => number {
  const limit: RateLimit = tokenBuckets({ monotonic }, STRANGERS_PER_MINUTE)
  return (c, what) => {
    if (!OPEN.includes(what) || c.req.header('Authorization') !== undefined) return 0
    return limit.take(networkOf(getConnInfo(c).remote.address ?? 'unknown')).retryAfter
  }
}
