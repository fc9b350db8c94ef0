// The bound on strangers' instances as the settings want it, for a process on Node and for an isolate of a Worker alike.
import type { Settings } from '../config/settings.ts'
import { boundNewcomers, NEWCOMERS_PER_ADDRESS } from '../domain/fleet/newcomers.ts'
import type { Newcomers } from '../domain/kernel/context.ts'
import { systemClock } from '../platform/clock.ts'
import { tokenBuckets } from '../platform/rate-limit.ts'
import { HOUR_SECONDS } from '../platform/time.ts'

/** `processes`: how many share the bound. */
export function newcomersOf({ rateLimit }: Pick<Settings, 'rateLimit'>, processes = 1): Newcomers {
  const share = Math.ceil(NEWCOMERS_PER_ADDRESS / processes)
  return boundNewcomers(rateLimit && tokenBuckets(systemClock, share, HOUR_SECONDS * 1000))
}
