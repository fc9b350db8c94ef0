// A clock that a drill moves: weeks of a key's life in a second.
import type { Clock } from '../platform/clock.ts'

export interface DrillClock extends Clock {
  advance(ms: number): void
}

/** Begins at the real time, since a database makes its partitions around that. */
export function drillClock(start: Date): DrillClock {
  let passed = 0
  return {
    now: () => new Date(start.getTime() + passed),
    monotonic: () => passed,
    advance(ms) {
      passed += ms
    },
  }
}
