// How many seats of a license relays may be giving out now: what counts beside the seats that instances hold (T10).
import { type SQL, sql } from 'drizzle-orm'

/**
 * Seats that count for one row of `relay_allotments`, named `a`: of the newest allotment until its end, or of a
 * larger one before it that the relay may still go by.
 */
export const countedSeats = (now: Date): SQL<number> => sql<number>`greatest(
  case when a.expires_at > ${now.toISOString()}::timestamptz then a.seats else 0 end,
  case when a.held_until > ${now.toISOString()}::timestamptz then a.held_seats else 0 end)`

/** Seats of the license allotted to relays, as a subquery; `except` is one relay that is not counted. */
export const allottedSeats = (licenseId: string, now: Date, except: string | null = null): SQL => sql`(
  select coalesce(sum(${countedSeats(now)}), 0) from relay_allotments a
  where a.license_id = ${licenseId}::uuid and a.relay_id is distinct from ${except}::uuid)`
