// How long the vendor asked to be left alone: the `Retry-After` of its last answer (RFC 9110, section 10.2.3).
import type { RetryAfter } from '../upstream/client.ts'

/** Milliseconds: nobody is obeyed for longer (T1). */
const LONGEST = 3_600_000

export interface Hold {
  /** The last answer asked for this; null where it asked for nothing. */
  note(asked: RetryAfter | null): void
  /** Milliseconds that are left. */
  left(): number
  /** Those of a demand (429), which no other answer of the vendor lifts. */
  demanded(): number
}

export function holding(clock: () => number = () => performance.now()): Hold {
  let until = 0
  let isDemand = false
  const left = () => Math.max(0, until - clock())
  return {
    note(asked) {
      until = asked === null ? 0 : clock() + Math.min(asked.ms, LONGEST)
      isDemand = asked?.status === 429
    },
    left,
    demanded: () => (isDemand ? left() : 0),
  }
}
