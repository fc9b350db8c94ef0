// A seat for an instance that an admin speaks for, in the admin's own transaction. Requests of instances take theirs in
// batches; both go by take-seat.ts.
import { and, eq } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { activations, forgottenSeats } from '../../db/schema/index.ts'
import type { CredentialName, LicenseFacts, Read } from '../kernel/reference.ts'
import {
  type AllottedRecord,
  type BoundRecord,
  boundRow,
  COUNT_SEATS,
  type CountRecord,
  capacityOf,
  countedCapacity,
  READ_ALLOTTED,
  READ_BOUNDS,
  UPSERT_BOUNDS,
} from './seat-bounds.ts'
import { type Capacity, changedCapacity, needsCount, type SeatLimits, seatLimits } from './seat-capacity.ts'
import { type SeatMode, type SeatRefusal, takeSeat } from './take-seat.ts'

export interface SeatRequest {
  license: LicenseFacts
  instanceKey: string
  credential: CredentialName
  /** End of the lease that this seat is claimed for, grace included. */
  leaseEndsAt: Date
  now: Date
  /** Id of the seat, if one is taken anew. */
  newId: string
  mode: SeatMode
}

export type SeatOutcome = { ok: true; id: string } | ({ ok: false } & SeatRefusal)

/** The caller holds the instance's row and then the license's, and `read` sends within `tx`. */
export async function claimSeat(tx: Transaction, read: Read, request: SeatRequest): Promise<SeatOutcome> {
  const { license, instanceKey, now } = request
  const pair = and(eq(activations.instanceKey, instanceKey), eq(activations.licenseId, license.id))
  const [own] = await tx.select().from(activations).where(pair).for('no key update')
  const [forgotten] = await tx
    .select({ seatId: forgottenSeats.seatId })
    .from(forgottenSeats)
    .where(and(eq(forgottenSeats.instanceKey, instanceKey), eq(forgottenSeats.licenseId, license.id)))
  const limits = seatLimits(license)
  const capacity = await capacityNow(read, license.id, limits, now)
  const verdict = takeSeat({
    ...request,
    licenseId: license.id,
    own: own ?? null,
    forgottenSeatId: forgotten?.seatId ?? null,
    capacity,
    limits,
    newId: () => request.newId,
  })
  if (verdict.kind === 'needs_license') throw new TypeError('the capacity is known')
  if (verdict.kind === 'refused') return { ok: false, ...verdict }
  const { instanceKey: _, licenseId: __, firstActivatedAt: ___, ...changes } = verdict.seat
  await tx
    .insert(activations)
    .values(verdict.seat)
    .onConflictDoUpdate({ target: [activations.instanceKey, activations.licenseId], set: changes })
  if (verdict.change) {
    const after = changedCapacity(capacity, verdict.change, now)
    await read(UPSERT_BOUNDS, [JSON.stringify([boundRow(license.id, after)])])
  }
  return { ok: true, id: verdict.seat.id }
}

/** Counted where the number that is kept does not answer. */
async function capacityNow(read: Read, licenseId: string, limits: SeatLimits, now: Date): Promise<Capacity> {
  const ids = `{${licenseId}}`
  const at = now.toISOString()
  const [bound] = await read<BoundRecord & Record<string, unknown>>(READ_BOUNDS, [ids])
  const [allotted] = await read<AllottedRecord & Record<string, unknown>>(READ_ALLOTTED, [ids, at])
  const known = capacityOf(bound, Number(allotted?.seats ?? 0))
  if (!needsCount(known, limits, 1, now)) return known
  const [counted] = await read<CountRecord & Record<string, unknown>>(COUNT_SEATS, [ids, at])
  return counted ? countedCapacity(counted, known.allotted, now) : known
}
