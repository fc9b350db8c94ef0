// A clock that moves only when a test says so.
import type { Clock } from '../../src/platform/clock.ts'

export interface VirtualClock extends Clock {
  /** Time passes: wall clock and running time both move on. */
  advance(ms: number): void
  /** Someone sets the wall clock; running time does not notice. */
  set(date: Date): void
}

export function virtualClock(startIso = '2026-01-01T00:00:00Z'): VirtualClock {
  let wall = new Date(startIso).getTime()
  let running = 0
  return {
    now: () => new Date(wall),
    monotonic: () => running,
    advance(ms) {
      if (!(ms >= 0)) throw new RangeError('time only passes forwards; use set() to turn the wall clock back')
      wall += ms
      running += ms
    },
    set(date) {
      wall = date.getTime()
    },
  }
}
