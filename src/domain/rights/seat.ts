// The one rule for "this seat is live" (T10), in SQL and in TypeScript. Reads nothing.
import { type SQL, sql } from 'drizzle-orm'

/**
 * A seat is live until it was ended or its last lease, grace included, has run out; `a` names the activation. `lapsed`
 * says the same of most seats that ran out, and an index can hold it.
 */
export const seatIsLive = (now: Date): SQL => sql`(
  a.ended_at is null and not a.lapsed and a.lease_ends_at > ${now.toISOString()}::timestamptz)`

/** The same of a row at hand. */
export const isLive = (seat: { endedAt: Date | null; leaseEndsAt: Date }, now: Date): boolean =>
  seat.endedAt === null && seat.leaseEndsAt > now
