// How many seats of a license are taken, kept as a number instead of counted each time (T10). Pure.
//
// A seat also ends by time, so the number can be too high, and never too low. Right after a count it is exact, and it
// stays so until the first lease that was counted runs out. Only then is it worth counting again.
import { CHURN_DAYS, seatChurn } from '../../contract/seats.ts'
import { addDays } from '../../platform/time.ts'
import type { LicenseFacts } from '../kernel/reference.ts'

export interface Capacity {
  /** Live seats of instances, at most. */
  readonly taken: number
  /** Until when `taken` is exact; null: nobody knows how far it is off. */
  readonly takenExactUntil: Date | null
  /** New instances within the last 30 days, at most. */
  readonly fresh: number
  readonly freshExactUntil: Date | null
  /** Seats that relays may be giving out. */
  readonly allotted: number
}

/** What a turn adds. `leaseEndsAt` is of the seat that was taken. */
export interface CapacityChange {
  readonly taken: number
  readonly fresh: number
  readonly leaseEndsAt: Date | null
}

export interface SeatLimits {
  /** Null: unlimited. */
  readonly seats: number | null
  /** New instances in 30 days; null: unlimited. */
  readonly churn: number | null
}

export function seatLimits(license: Pick<LicenseFacts, 'seatLimit' | 'tier'>): SeatLimits {
  const seats = license.seatLimit
  return { seats, churn: license.tier.seatChurn ?? (seats === null ? null : seatChurn(seats)) }
}

/** Of a license whose seats were never counted. */
export const UNCOUNTED = Number.MAX_SAFE_INTEGER

/** Whether `wanted` more seats could meet a limit that only an exact count can tell. */
export function needsCount(capacity: Capacity, limits: SeatLimits, wanted: number, now: Date): boolean {
  const { taken, allotted, fresh } = capacity
  const stale = (exactUntil: Date | null) => exactUntil === null || exactUntil <= now
  return (
    taken === UNCOUNTED ||
    (limits.seats !== null && taken + allotted + wanted > limits.seats && stale(capacity.takenExactUntil)) ||
    (limits.churn !== null && fresh + wanted > limits.churn && stale(capacity.freshExactUntil))
  )
}

/** The capacity after a change. The end of a new lease may come before those that were counted. */
export function changedCapacity(capacity: Capacity, change: CapacityChange, now: Date): Capacity {
  const { takenExactUntil, freshExactUntil } = capacity
  const freshUntil = addDays(now, CHURN_DAYS)
  return {
    ...capacity,
    taken: Math.max(0, capacity.taken + change.taken),
    fresh: capacity.fresh + change.fresh,
    takenExactUntil: change.taken > 0 ? earlier(takenExactUntil, change.leaseEndsAt) : takenExactUntil,
    freshExactUntil: change.fresh > 0 ? earlier(freshExactUntil, freshUntil) : freshExactUntil,
  }
}

/** Null on the left stays null: what is not exact does not become so. */
function earlier(known: Date | null, other: Date | null): Date | null {
  return known !== null && other !== null && other < known ? other : known
}
