// What a relay may go by of what it was allotted so far. Pure.
import type { AllotmentClaims } from '../../contract/claims.ts'
import type { relayAllotments } from '../../db/schema/index.ts'
import { fromUnixSeconds } from '../../platform/time.ts'

/** Seats, until then. */
export interface Promised {
  seats: number
  until: Date
}

export interface KnownAllotment {
  share: number
  seq: number
  /** The newest allotment, unless it has ended. */
  newest: Promised[]
  /** Larger ones before it that the relay has not acknowledged to be replaced. */
  held: Promised[]
}

type Stored = Pick<
  typeof relayAllotments.$inferSelect,
  'share' | 'seq' | 'seats' | 'expiresAt' | 'heldSeats' | 'heldUntil'
>

/**
 * What is stored, corrected by the allotment that the relay goes by: the newest one acknowledges that it came; one
 * that is newer than what is stored was lost with a database, and counts as it was signed (T12).
 */
export function learn(stored: Stored | null, current: AllotmentClaims | null, now: Date): KnownAllotment {
  const known = {
    share: stored?.share ?? current?.seats ?? 0,
    seq: stored?.seq ?? 0,
    newest: promise(stored?.seats, stored?.expiresAt, now),
    held: promise(stored?.heldSeats, stored?.heldUntil, now),
  }
  if (current === null || current.seq < known.seq) return known
  if (current.seq === known.seq) return { ...known, held: [] }
  return {
    ...known,
    seq: current.seq,
    newest: promise(current.seats, fromUnixSeconds(current.exp), now),
    held: [],
  }
}

/** One promise that covers them all: the most seats, until the last end. */
export function mostSeats(promises: readonly Promised[]): Promised | null {
  return promises.reduce<Promised | null>(
    (most, { seats, until }) =>
      most === null
        ? { seats, until }
        : { seats: Math.max(most.seats, seats), until: most.until > until ? most.until : until },
    null,
  )
}

function promise(seats: number | undefined, until: Date | null | undefined, now: Date): Promised[] {
  return seats !== undefined && seats > 0 && until && until > now ? [{ seats, until }] : []
}
