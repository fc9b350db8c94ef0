// What "at this second" means, once. Pure comparisons; reads no clock.
import type { UnixSeconds } from './verified.ts'

export const DAY = 86_400

export interface Moment {
  now: UnixSeconds
  /** Seconds by which the clocks may differ; default 0. */
  clockTolerance?: number
}

/** A JWT must not be accepted at or after its `exp` (RFC 7519, section 4.1.4). */
export function isBefore(exp: UnixSeconds, { now, clockTolerance = 0 }: Moment): boolean {
  return now < exp + clockTolerance
}

/** Licenses, leases with their grace, and raw objects hold through their last second (reference, section 4). */
export function isThrough(end: UnixSeconds, { now, clockTolerance = 0 }: Moment): boolean {
  return now <= end + clockTolerance
}
