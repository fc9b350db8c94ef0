// The clock port: wall time and running time. Nothing else in the code reads a global clock; works on every runtime.

export interface Clock {
  /** Wall clock. May jump in either direction. */
  now(): Date
  /** Milliseconds since an arbitrary start. Never goes back; use it for durations. */
  monotonic(): number
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
}
