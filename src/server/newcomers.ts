// The bound on strangers' instances as the settings want it, for a process on Node and for an isolate of a Worker alike.
import type { Settings } from '../config/settings.ts'
import { boundNewcomers, NEWCOMERS_PER_ADDRESS } from '../domain/fleet/newcomers.ts'
import type { Newcomers } from '../domain/kernel/context.ts'
import { systemClock } from '../platform/clock.ts'
import { tokenBuckets } from '../platform/rate-limit.ts'
import { HOUR_SECONDS } from '../platform/time.ts'

export const newcomersOf = ({ rateLimit }: Settings): Newcomers =>
  boundNewcomers(rateLimit && tokenBuckets(systemClock, NEWCOMERS_PER_ADDRESS, HOUR_SECONDS * 1000))
