// Counts the fleet and its licenses for an admin, in three statements whatever their number. Reads the tables as they
// are: nothing is kept.
import { type SQL, sql } from 'drizzle-orm'
import type { StatsQuery } from '../../contract/admin-stats.schema.ts'
import { EXPIRY_DAYS, type ExpiryDays, SEAT_STATES } from '../../contract/admin-stats.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { productByCode } from '../kernel/find-catalog.ts'
import { licenseStateSql } from '../rights/state-sql.ts'

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

/** @throws Refusal `product_unknown` */
export async function readStats(ctx: Ctx, query: StatsQuery): Promise<Stats> {
  requireRole(ctx, 'auditor')
  const now = ctx.clock.now()
  const product = query.product === undefined ? null : await productByCode(ctx.db, query.product)
  const ofProduct = (alias: string): SQL =>
    product === null ? sql`true` : sql`${sql.identifier(alias)}.product_id = ${product.id}::uuid`
  const fleet = await ctx.db.execute<FleetRow>(sql`
    with ${seatsOf(now, ofProduct('l'))}, fleet as (
      select i.*, coalesce(s.state, 'unlicensed') as license_state,
        case i.action when 'kill' then '' when 'downgrade' then lowest.code else coalesce(g.tier, lowest.code) end
          as tier,
        ${lastSeen(now)} as last_seen
      from instances i
      left join seats s on s.instance_key = i.instance_key
      left join granted g on g.instance_key = i.instance_key
      left join lowest on lowest.product_id = i.product_id
      where ${ofProduct('i')}
    ), counts as (
      select d.breakdown, coalesce(d.value, '') as value, count(*)::int as count,
        (count(*) filter (where f.proof <> 'none'))::int as verified
      from fleet f cross join lateral (values
        ('all', '', true), ('version', f.version, true), ('tier', f.tier, true), ('os', f.os, true),
        ('last_seen', f.last_seen, true), ('license_state', f.license_state, true), ('proof', f.proof, true),
        ('action', f.action, f.action_set_at is not null),
        ('outstanding', f.action, f.action_set_at is not null and f.action_acknowledged_at is null)
      ) d(breakdown, value, counts)
      where d.counts and f.deactivated_at is null
      group by d.breakdown, coalesce(d.value, '')
      union all
      select 'deactivated', '', count(*)::int, (count(*) filter (where proof <> 'none'))::int
      from fleet where deactivated_at is not null
    ), placed as (
      select *, row_number() over (partition by breakdown order by count desc, value) as place from counts
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
 * For each instance: the state of the best license that it has a seat of, and the tier of the highest one that it may
 * use now; for each product its lowest tier.
 */
const seatsOf = (now: Date, ofProduct: SQL): SQL => sql`
  held as (
    select a.instance_key, a.lease_ends_at > ${now.toISOString()}::timestamptz as live, t.rank, t.code,
      ${licenseStateSql(now)} as state
    from activations a join licenses l on l.id = a.license_id join tiers t on t.id = l.tier_id
    where a.ended_at is null and ${ofProduct}
  ), seats as (
    select distinct on (instance_key) instance_key, state from held
    order by instance_key, array_position(array[${sql.join(
      SEAT_STATES.map((state) => sql`${state}::text`),
      sql`, `,
    )}], state), rank desc
  ), granted as (
    select distinct on (instance_key) instance_key, code as tier from held where live
    order by instance_key, rank desc
  ), lowest as (
    select distinct on (product_id) product_id, code from tiers order by product_id, rank
  )`

const lastSeen = (now: Date): SQL => sql`
  case
    when i.last_seen_at > ${now.toISOString()}::timestamptz - interval '1 hour' then 'under_1h'
    when i.last_seen_at > ${now.toISOString()}::timestamptz - interval '24 hours' then 'under_24h'
    when i.last_seen_at > ${now.toISOString()}::timestamptz - interval '48 hours' then 'under_48h'
    when i.last_seen_at > ${now.toISOString()}::timestamptz - interval '168 hours' then 'under_7d'
    when i.last_seen_at > ${now.toISOString()}::timestamptz - interval '720 hours' then 'under_30d'
    else 'older'
  end`
