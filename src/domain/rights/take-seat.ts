// Whether an instance gets, keeps or is refused a seat of a license (T10). Pure: the caller has read and locked.
import type { activations } from '../../db/schema/index.ts'
import type { CredentialName } from '../kernel/reference.ts'
import { isLive } from './seat.ts'
import type { Capacity, CapacityChange, SeatLimits } from './seat-capacity.ts'

/** Without the marks that jobs keep. */
export type Seat = Omit<typeof activations.$inferSelect, 'lapsed' | 'lapseDueAt'>

/**
 * `claim` takes a free seat; `retake` does so unless an admin ended the instance's own; `hold` takes none; `keep` goes
 * on with the seat that a license JWT names. A seat named by a valid JWT and unknown here is learned again: the
 * database was restored from before it (T12).
 */
export type SeatMode = { kind: 'claim' | 'retake' | 'hold' } | { kind: 'keep'; seatId: string }

export interface SeatQuestion {
  readonly instanceKey: string
  readonly licenseId: string
  readonly credential: CredentialName
  readonly mode: SeatMode
  /** What the instance holds, or held, of the license. */
  readonly own: Seat | null
  /** The newest seat of the license that was deleted together with this instance. */
  readonly forgottenSeatId: string | null
  /** Null while the license's row is not held: nothing may be taken then. */
  readonly capacity: Capacity | null
  readonly limits: SeatLimits
  /** End of the lease that the seat is for, grace included. */
  readonly leaseEndsAt: Date
  readonly now: Date
  /** Id of a seat that is taken anew. */
  readonly newId: () => string
}

export type SeatRefusal =
  | { reason: 'seat_ended' | 'key_retired' }
  | { reason: 'instance_limit' | 'seat_churn'; limit: number; current: number }

export type SeatVerdict =
  | { kind: 'seat'; seat: Seat; change: CapacityChange | null }
  | ({ kind: 'refused' } & SeatRefusal)
  /** The license's row must be held to answer this. */
  | { kind: 'needs_license' }

/** The same instance never takes a second seat. Which credential a seat goes by changes only under the license's lock. */
export function takeSeat(question: SeatQuestion): SeatVerdict {
  const { own, mode, now, capacity, credential } = question
  const named = mode.kind === 'keep' ? mode.seatId : own?.id
  if (own && own.id === named && isLive(own, now)) {
    const same = own.credentialSource === credential.source && own.credentialId === credential.id
    if (!same && capacity === null) return { kind: 'needs_license' }
    return { kind: 'seat', seat: prolonged(own, question), change: null }
  }
  // Seat ids are ordered by time: one that is newer than what is on record was lost with a database (T12).
  const lost = mode.kind === 'keep' && (!own || mode.seatId > own.id)
  if (mode.kind === 'keep' && !lost && (own?.endedAt || own?.id !== mode.seatId)) return ENDED
  if (mode.kind === 'keep' && !own && isForgotten(mode.seatId, question.forgottenSeatId)) return ENDED
  if (mode.kind === 'hold') return { kind: 'refused', reason: 'key_retired' }
  if (mode.kind === 'retake' && own && isTombstone(own)) return ENDED
  if (capacity === null) return { kind: 'needs_license' }
  const full = lost ? null : refusedWhenFull(capacity, question.limits, own !== null)
  if (full) return full
  return {
    kind: 'seat',
    seat: takenAnew(question),
    change: { taken: 1, fresh: own === null ? 1 : 0, leaseEndsAt: question.leaseEndsAt },
  }
}

const ENDED = { kind: 'refused', reason: 'seat_ended' } as const

function prolonged(own: Seat, { credential, now, leaseEndsAt }: SeatQuestion): Seat {
  return {
    ...own,
    credentialSource: credential.source,
    credentialId: credential.id,
    leaseIssuedAt: now,
    leaseEndsAt: leaseEndsAt > own.leaseEndsAt ? leaseEndsAt : own.leaseEndsAt,
  }
}

function takenAnew(question: SeatQuestion): Seat {
  const { own, mode, credential, now, leaseEndsAt, instanceKey, licenseId } = question
  return {
    instanceKey,
    licenseId,
    id: mode.kind === 'keep' ? mode.seatId : question.newId(),
    credentialSource: credential.source,
    credentialId: credential.id,
    firstActivatedAt: own?.firstActivatedAt ?? now,
    activatedAt: now,
    leaseEndsAt,
    leaseIssuedAt: now,
    endedAt: null,
    endedBy: null,
    tombstoneLiftedAt: null,
  }
}

function refusedWhenFull(
  { taken, allotted, fresh }: Capacity,
  { seats, churn }: SeatLimits,
  returning: boolean,
): SeatVerdict | null {
  const live = taken + allotted
  if (seats !== null && live >= seats) {
    return { kind: 'refused', reason: 'instance_limit', limit: seats, current: live }
  }
  if (churn !== null && !returning && fresh >= churn) {
    return { kind: 'refused', reason: 'seat_churn', limit: churn, current: fresh }
  }
  return null
}

/** An admin ended the seat: the instance does not take it back by itself until the admin lets it. */
export function isTombstone(seat: Pick<Seat, 'endedBy' | 'tombstoneLiftedAt'>): boolean {
  return seat.endedBy === 'admin' && seat.tombstoneLiftedAt === null
}

/** Whether the seat ended because an admin deleted its instance: it is not learned again from a license JWT (T8). */
export function isForgotten(seatId: string, forgottenSeatId: string | null | undefined): boolean {
  return forgottenSeatId != null && seatId <= forgottenSeatId
}
