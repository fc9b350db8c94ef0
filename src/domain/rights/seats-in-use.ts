// How many seats of a license are live, as an admin's page shows it: few are counted, many are looked up.
import { type SQL, sql } from 'drizzle-orm'
import { licenses } from '../../db/schema/index.ts'
import { seatIsLive } from './seat.ts'

/** Seats that are counted one by one: a page of licenses then costs some ten thousand index entries at most. */
const MOST_COUNTED = 500

/** Bounds and order leave one index to read, also where one license holds nearly all seats and a scan looks cheap. */
const FIRST_KEY = '00000000-0000-0000-0000-000000000000'
const LAST_KEY = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/**
 * Over a row of `licenses`. Exact up to 500; above that what a job counted within the last minute. Never use it to grant
 * a seat: who grants one counts under the license's lock.
 */
export const seatsInUse = (now: Date): SQL<number> => sql<number>`(
  select case when c.n <= ${MOST_COUNTED}::int then c.n else greatest(c.n, coalesce((
    select f.instances::int from fleet_counts f
    where f.product_id = ${licenses.productId} and f.facet = 'seat' and f.key = md5(${licenses.id}::text)::uuid), 0))
    end
  from (
    select count(*)::int as n from (
      select from activations a
      where (a.license_id, a.instance_key) >= (${licenses.id}, ${FIRST_KEY}::uuid)
        and (a.license_id, a.instance_key) <= (${licenses.id}, ${LAST_KEY}::uuid) and ${seatIsLive(now)}
      order by a.license_id, a.instance_key limit ${MOST_COUNTED + 1}) found) c)`
