// The statements that read, count and keep how many seats of licenses are taken. What the numbers mean is seat-capacity.ts.
import { sql } from 'drizzle-orm'
import { CHURN_DAYS } from '../../contract/seats.ts'
import type { Transaction } from '../../db/client.ts'
import { fromUnixMilliseconds } from '../../platform/time.ts'
import { type Capacity, UNCOUNTED } from './seat-capacity.ts'

/** Times are unix milliseconds. */
export interface BoundRecord {
  license_id: string
  taken: number
  taken_exact_until: number | null
  fresh: number
  fresh_exact_until: number | null
}

export interface AllottedRecord {
  license_id: string
  seats: string
}

export interface CountRecord {
  license_id: string
  taken: number
  first_end: number | null
  fresh: number
  oldest_fresh: number | null
}

/** Of the licenses `$1`. */
export const READ_BOUNDS = `
  select license_id, taken, (extract(epoch from taken_exact_until) * 1000)::float8 as taken_exact_until, fresh,
    (extract(epoch from fresh_exact_until) * 1000)::float8 as fresh_exact_until
  from seat_bounds where license_id = any($1::uuid[])`

/** Seats of the licenses `$1` that relays may be giving out at `$2`; as `countedSeats` of allotted-seats.ts. */
export const READ_ALLOTTED = `
  select license_id, sum(greatest(case when expires_at > $2::timestamptz then seats else 0 end,
    case when held_until > $2::timestamptz then held_seats else 0 end)) as seats
  from relay_allotments where license_id = any($1::uuid[]) group by license_id`

/** The live seats of the licenses `$1` at `$2`, and their new instances. The licenses' rows must be held. */
export const COUNT_SEATS = `
  select l.id as license_id, live.taken, live.first_end, recent.fresh, recent.oldest_fresh
  from unnest($1::uuid[]) as l(id)
  cross join lateral (
    select count(*)::int as taken, (extract(epoch from min(lease_ends_at)) * 1000)::float8 as first_end
    from activations where license_id = l.id and ended_at is null and not lapsed and lease_ends_at > $2::timestamptz) live
  cross join lateral (
    select count(*)::int as fresh, (extract(epoch from min(first_activated_at)) * 1000)::float8 as oldest_fresh
    from activations where license_id = l.id
      and first_activated_at > $2::timestamptz - make_interval(days => ${CHURN_DAYS})) recent`

/** Rows of `boundRow`, as a JSON array. */
export const UPSERT_BOUNDS = `
  insert into seat_bounds (license_id, taken, taken_exact_until, fresh, fresh_exact_until)
  select "licenseId", taken, "takenExactUntil", fresh, "freshExactUntil"
  from json_to_recordset($1::json) as r("licenseId" uuid, taken int, "takenExactUntil" timestamptz, fresh int,
    "freshExactUntil" timestamptz)
  order by "licenseId"
  on conflict (license_id) do update set taken = excluded.taken, taken_exact_until = excluded.taken_exact_until,
    fresh = excluded.fresh, fresh_exact_until = excluded.fresh_exact_until`

const DAY_MS = 86_400_000
/** Where nothing was counted, nothing can lapse. */
const FAR_MS = 3_650 * DAY_MS

const date = (ms: number | null): Date | null => (ms === null ? null : fromUnixMilliseconds(ms))

/** A license without a row has never been counted: nothing is known of it. */
export function capacityOf(row: BoundRecord | undefined, allotted: number): Capacity {
  return {
    taken: row?.taken ?? UNCOUNTED,
    takenExactUntil: date(row?.taken_exact_until ?? null),
    fresh: row?.fresh ?? UNCOUNTED,
    freshExactUntil: date(row?.fresh_exact_until ?? null),
    allotted,
  }
}

/** Exact until the first lease that was counted runs out, and until the oldest new instance is new no more. */
export function countedCapacity(row: CountRecord, allotted: number, now: Date): Capacity {
  const far = now.getTime() + FAR_MS
  const oldest = row.oldest_fresh === null ? far : row.oldest_fresh + CHURN_DAYS * DAY_MS
  return {
    taken: row.taken,
    takenExactUntil: fromUnixMilliseconds(row.first_end ?? far),
    fresh: row.fresh,
    freshExactUntil: fromUnixMilliseconds(oldest),
    allotted,
  }
}

export const boundRow = (licenseId: string, { allotted: _, ...capacity }: Capacity) => ({
  licenseId,
  ...capacity,
})

/** Notes that live seats ended otherwise than by a request of their instance. The license's row must be held. */
export async function seatsEnded(tx: Transaction, licenseId: string, seats: number): Promise<void> {
  if (seats === 0) return
  await tx.execute(sql`
    update seat_bounds set taken = greatest(0, taken - ${seats}::int) where license_id = ${licenseId}::uuid`)
}
