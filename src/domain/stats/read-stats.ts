// Counts the fleet and its licenses for an admin, in three statements whatever their number: of the fleet reads sums that
// a job keeps, and what was not added to them yet; of the licenses the table itself.
import { type SQL, sql } from 'drizzle-orm'
import type { StatsQuery } from '../../contract/admin-stats.schema.ts'
import { EXPIRY_DAYS, type ExpiryDays, SEAT_STATES } from '../../contract/admin-stats.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { productByCode } from '../kernel/find-catalog.ts'
import { licenseStateSql } from '../rights/state-sql.ts'
import { countsOf, factsOfNow, minutesOf } from './fleet-facts.ts'

export type Breakdown =
  | 'all'
  | 'deactivated'
  | 'version'
  | 'tier'
  | 'os'
  | 'last_seen'
  | 'license_state'
  | 'proof'
  | 'action'
  | 'outstanding'

export type FleetRow = { breakdown: Breakdown; value: string; count: number; verified: number }
export type LicenseCounts = {
  states: Record<string, number>
  trials: number
  perpetual: number
} & Record<`expiring_${ExpiryDays}`, number>

export interface Stats {
  product: string | null
  now: Date
  /** Most frequent first within a breakdown. */
  fleet: FleetRow[]
  licenses: LicenseCounts
}

/** Values of one breakdown that are shown by name: strangers may report any number. */
const MOST_VALUES = 100
/** Instances that changed since the last fold and are counted at reading. */
const MOST_UNFOLDED = 5_000
/** The same of statements that moved ages: each may hold a batch of some hundred heartbeats. */
const MOST_UNFOLDED_AGES = 300
const MINUTE_MS = 60_000
/** Ages in hours, and what those below are called. */
const BOUNDS = [
  [1, 'under_1h'],
  [24, 'under_24h'],
  [48, 'under_48h'],
  [168, 'under_7d'],
  [720, 'under_30d'],
] as const

/** @throws Refusal `product_unknown` */
export async function readStats(ctx: Ctx, query: StatsQuery): Promise<Stats> {
  requireRole(ctx, 'auditor')
  const now = ctx.clock.now()
  const product = query.product === undefined ? null : await productByCode(ctx.db, query.product)
  const ofProduct = (alias: string): SQL =>
    product === null ? sql`true` : sql`${sql.identifier(alias)}.product_id = ${product.id}::uuid`
  const fleet = await ctx.db.execute<FleetRow>(sql`
    with ${sumsOf(now, ofProduct)}, ${holdingsOf(now)}, counts as (
      select facet as breakdown, value, instances, verified from sums where facet not in ('holding', 'seat')
      union all
      select d.breakdown, coalesce(d.value, ''), h.instances, h.verified
      from rated h cross join lateral (values ('tier', h.tier), ('license_state', h.license_state))
        d(breakdown, value)
      union all
      select 'last_seen', ${lastSeen(now)}, instances, verified from minutes
    ), summed as (
      select breakdown, value, sum(instances)::int as count, sum(verified)::int as verified
      from counts group by breakdown, value having sum(instances) > 0
    ), placed as (
      select *, row_number() over (partition by breakdown order by count desc, value) as place from summed
    )
    select breakdown, case when place <= ${MOST_VALUES}::int then value else 'other' end as value,
      sum(count)::int as count, sum(verified)::int as verified
    from placed group by 1, 2 order by 1, min(place)`)
  const [licenses] = await ctx.db.execute<LicenseCounts>(sql`
    with l as (
      select l.*, ${licenseStateSql(now)} as state from licenses l join tiers t on t.id = l.tier_id
      where ${ofProduct('l')}
    )
    select (select coalesce(jsonb_object_agg(state, n), '{}') from (select state, count(*) as n from l group by 1) s)
        as states,
      (count(*) filter (where l.is_trial))::int as trials,
      (count(*) filter (where l.expires_at is null))::int as perpetual,
      ${sql.join(
        EXPIRY_DAYS.map(
          (days) => sql`(count(*) filter (where l.state = 'active' and l.expires_at
            < date_trunc('second', ${now.toISOString()}::timestamptz) + ${days}::int * interval '86400 seconds'))::int
            as ${sql.identifier(`expiring_${days}`)}`,
        ),
        sql`, `,
      )}
    from l`)
  if (!licenses) throw new TypeError('an aggregate without a row')
  return { product: product?.code ?? null, now, fleet: [...fleet], licenses }
}

/**
 * `sums` and `minutes`: what was folded, and what was not yet, as far as `MOST_UNFOLDED` reaches; so figures are exact at
 * once unless more than that changed within the minute between two folds.
 */
const sumsOf = (now: Date, ofProduct: (alias: string) => SQL): SQL => sql`
  keys as materialized (
    select instance_key from (select instance_key from fleet_changes order by id limit ${MOST_UNFOLDED}) w
    union
    select instance_key from (
      select instance_key from activations
      where ended_at is null and not lapsed and lapse_due_at <= ${now.toISOString()}::timestamptz
      order by lapse_due_at limit ${MOST_UNFOLDED}) d
  ), facts as materialized (${factsOfNow(now)}), counted as materialized (
    select f.* from fleet_facts f join keys k on k.instance_key = f.instance_key
  ), sums as (
    select product_id, facet, value, sum(instances) as instances, sum(verified) as verified from (
      select product_id, facet, value, instances, verified from fleet_counts
      union all ${countsOf('facts', 1)} union all ${countsOf('counted', -1)}
    ) s where ${ofProduct('s')} group by product_id, facet, value having sum(instances) <> 0
  ), waiting as materialized (
    select * from fleet_age_changes order by id limit ${MOST_UNFOLDED_AGES}
  ), minutes as (
    select minute, instances, verified from (
      select product_id, minute, instances, verified from fleet_ages union all ${minutesOf('waiting')}
    ) m where ${ofProduct('m')}
  )`

/**
 * `rated`: each holding with the state of the best license that it has a seat of, and the tier of the highest one that
 * may be used now: empty for what is killed, the product's lowest for what is downgraded or holds none.
 */
const holdingsOf = (now: Date): SQL => sql`
  holdings as materialized (
    select row_number() over () as n, product_id, instances, verified, split_part(value, '|', 1) as action,
      split_part(value, '|', 2) as held,
      case split_part(value, '|', 3) when '=' then split_part(value, '|', 2) else split_part(value, '|', 3) end
        as live
    from sums where facet = 'holding'
  ), known as materialized (
    select l.id, t.rank, t.code, ${licenseStateSql(now)} as state
    from licenses l join tiers t on t.id = l.tier_id
    where l.id in (
      select distinct x.license::uuid from holdings h
      cross join lateral unnest(string_to_array(h.held, ',')) x(license))
  ), states as (
    select distinct on (h.n) h.n, k.state
    from holdings h cross join lateral unnest(string_to_array(h.held, ',')) x(license)
    join known k on k.id = x.license::uuid
    order by h.n, array_position(array[${sql.join(
      SEAT_STATES.map((state) => sql`${state}::text`),
      sql`, `,
    )}], k.state), k.rank desc
  ), granted as (
    select distinct on (h.n) h.n, k.code
    from holdings h cross join lateral unnest(string_to_array(h.live, ',')) x(license)
    join known k on k.id = x.license::uuid
    order by h.n, k.rank desc
  ), lowest as (
    select distinct on (product_id) product_id, code from tiers order by product_id, rank
  ), rated as (
    select h.instances, h.verified, coalesce(s.state, 'unlicensed') as license_state,
      case h.action when 'kill' then '' when 'downgrade' then lowest.code else coalesce(g.code, lowest.code) end
        as tier
    from holdings h
    left join states s on s.n = h.n
    left join granted g on g.n = h.n
    left join lowest on lowest.product_id = h.product_id
  )`

/** To the minute: an instance counts as of the age that it had at the end of its minute. */
const lastSeen = (now: Date): SQL => sql`
  case
    ${sql.join(
      BOUNDS.map(
        ([hours, name]) =>
          sql`when minute >= ${Math.floor(now.getTime() / MINUTE_MS) - hours * 60}::int then ${name}::text`,
      ),
      sql` `,
    )}
    else 'older'
  end`
