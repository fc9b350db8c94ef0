// What the sums of the fleet know of single instances that a filter can use. Written by domain/stats alone.
import { sql } from 'drizzle-orm'

/** Over `fleet_facts`: no live seat, or downgraded, when it was counted last. As its partial index says it. */
export const countedWithoutSeat = sql`(split_part(facets[6], '|', 3) = '' or facets[6] like 'downgrade|%')`
