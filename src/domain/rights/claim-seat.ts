// Seats, exact under concurrency: whoever takes one holds the license's row while counting (T10).
import { and, eq, sql } from 'drizzle-orm'
import type { CredentialSource } from '../../contract/catalog.ts'
import { CHURN_DAYS, seatChurn } from '../../contract/seats.ts'
import type { Executor, Transaction } from '../../db/client.ts'
import { activations, forgottenSeats } from '../../db/schema/index.ts'
import { allottedSeats } from './allotted-seats.ts'
import type { LicenseFacts } from './license-facts.ts'
import { isLive, seatIsLive } from './seat.ts'

export interface SeatRequest {
  license: LicenseFacts
  instanceKey: string
  credential: { source: CredentialSource; id: string }
  /** End of the lease that this seat is claimed for, grace included. */
  leaseEndsAt: Date
  now: Date
  /** Id of the seat, if one is taken anew. */
  newId: string
  mode: SeatMode
}

/**
 * `claim` takes a free seat; `retake` does so unless an admin ended the instance's own; `hold` takes none; `keep` goes
 * on with the seat that a license JWT names. A seat named by a valid JWT and unknown here is learned again: the
 * database was restored from before it (T12).
 */
export type SeatMode = { kind: 'claim' | 'retake' | 'hold' } | { kind: 'keep'; seatId: string }

export type SeatOutcome =
  | { ok: true; id: string; taken: boolean }
  | { ok: false; reason: 'seat_ended' | 'key_retired' }
  | { ok: false; reason: 'instance_limit' | 'seat_churn'; limit: number; current: number }

/** Whether the request will have to take a seat: then the license's row must be held alone, to count. */
export async function needsNewSeat(
  tx: Transaction,
  instanceKey: string,
  licenseId: string,
  mode: SeatMode,
  now: Date,
): Promise<boolean> {
  const own = await findSeat(tx, instanceKey, licenseId)
  return !own || !isLive(own, now) || (mode.kind === 'keep' && own.id !== mode.seatId)
}

/**
 * Gives the instance its seat, or takes one. The caller holds the license's row, and alone where `needsNewSeat` said
 * so; whoever ends a seat holds it too. The same instance never takes a second seat.
 */
export async function claimSeat(tx: Transaction, request: SeatRequest): Promise<SeatOutcome> {
  const { license, instanceKey, now, mode } = request
  const own = await findSeat(tx, instanceKey, license.id)
  const named = mode.kind === 'keep' ? mode.seatId : own?.id
  if (own && own.id === named && isLive(own, now)) {
    await tx
      .update(activations)
      .set({
        credentialSource: request.credential.source,
        credentialId: request.credential.id,
        leaseIssuedAt: now,
        leaseEndsAt: sql`greatest(${activations.leaseEndsAt}, ${request.leaseEndsAt.toISOString()}::timestamptz)`,
      })
      .where(pair(instanceKey, license.id))
    return { ok: true, id: own.id, taken: false }
  }
  // Seat ids are ordered by time: one that is newer than what is on record was lost with a database (T12).
  const lost = mode.kind === 'keep' && (!own || mode.seatId > own.id)
  if (mode.kind === 'keep' && !lost && (own?.endedAt || own?.id !== mode.seatId)) {
    return { ok: false, reason: 'seat_ended' }
  }
  if (mode.kind === 'keep' && !own && (await isForgotten(tx, instanceKey, license.id, mode.seatId))) {
    return { ok: false, reason: 'seat_ended' }
  }
  if (mode.kind === 'hold') return { ok: false, reason: 'key_retired' }
  if (mode.kind === 'retake' && own && isTombstone(own)) return { ok: false, reason: 'seat_ended' }
  const full = lost ? null : await refuseWhenFull(tx, request, own !== null)
  if (full) return full
  const id = mode.kind === 'keep' ? mode.seatId : request.newId
  const seat = {
    id,
    credentialSource: request.credential.source,
    credentialId: request.credential.id,
    activatedAt: now,
    leaseEndsAt: request.leaseEndsAt,
    leaseIssuedAt: now,
    endedAt: null,
    endedBy: null,
    tombstoneLiftedAt: null,
  }
  await tx
    .insert(activations)
    .values({ ...seat, instanceKey, licenseId: license.id, firstActivatedAt: now })
    .onConflictDoUpdate({ target: [activations.instanceKey, activations.licenseId], set: seat })
  return { ok: true, id, taken: true }
}

async function refuseWhenFull(
  tx: Transaction,
  { license, now, instanceKey }: SeatRequest,
  returning: boolean,
): Promise<SeatOutcome | null> {
  const limit = license.seatLimit
  const churn = license.tier.seatChurn ?? (limit === null ? null : seatChurn(limit))
  if (limit === null && churn === null) return null
  const at = now.toISOString()
  const [counted] = await tx.execute<{ live: string; fresh: string }>(sql`
    select
      (select count(*) from activations a where a.license_id = ${license.id}::uuid and ${seatIsLive(now)}
        and a.instance_key <> ${instanceKey}::uuid)
        + ${allottedSeats(license.id, now)} as live,
      (select count(*) from activations where license_id = ${license.id}::uuid
        and first_activated_at > ${at}::timestamptz - make_interval(days => ${CHURN_DAYS}::int)) as fresh`)
  const live = Number(counted?.live)
  const fresh = Number(counted?.fresh)
  if (limit !== null && live >= limit) return { ok: false, reason: 'instance_limit', limit, current: live }
  if (churn !== null && !returning && fresh >= churn) {
    return { ok: false, reason: 'seat_churn', limit: churn, current: fresh }
  }
  return null
}

export type Seat = typeof activations.$inferSelect

export async function findSeat(
  tx: Transaction,
  instanceKey: string,
  licenseId: string,
): Promise<Seat | null> {
  const [own] = await tx.select().from(activations).where(pair(instanceKey, licenseId))
  return own ?? null
}

/** An admin ended the seat: the instance does not take it back by itself until the admin lets it. */
export function isTombstone(seat: Pick<Seat, 'endedBy' | 'tombstoneLiftedAt'>): boolean {
  return seat.endedBy === 'admin' && seat.tombstoneLiftedAt === null
}

/** Whether the seat ended because an admin deleted its instance: it is not learned again from a license JWT (T8). */
export async function isForgotten(
  db: Executor,
  instanceKey: string,
  licenseId: string,
  seatId: string,
): Promise<boolean> {
  const [found] = await db
    .select({ seatId: forgottenSeats.seatId })
    .from(forgottenSeats)
    .where(and(eq(forgottenSeats.instanceKey, instanceKey), eq(forgottenSeats.licenseId, licenseId)))
  return found !== undefined && seatId <= found.seatId
}

const pair = (instanceKey: string, licenseId: string) =>
  and(eq(activations.instanceKey, instanceKey), eq(activations.licenseId, licenseId))
