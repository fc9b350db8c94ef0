// What the figures count an instance by, as SQL: the facts of now, and the rows of sums that facts come to.
import { type SQL, sql } from 'drizzle-orm'
import { seatIsLive } from '../rights/seat.ts'

/** In the order in which `fleet_facts.facets` holds them. */
const FACETS = ['version', 'os', 'proof', 'action', 'outstanding', 'holding'] as const
const HOLDING = FACETS.indexOf('holding') + 1

/**
 * The facts of the instances that a query names `keys(instance_key)`. `holding` is the action, the licenses of all
 * seats that were not ended, and those of the live ones (`=` where they are the same): what the tier and the state of
 * the license come from, with what the licenses say at the time of reading.
 */
export const factsOfNow = (now: Date): SQL => sql`
  select i.instance_key, i.product_id, i.proof <> 'none' as verified,
    case when i.deactivated_at is null then array[
      coalesce(i.version, ''), coalesce(i.os, ''), i.proof,
      case when i.action_set_at is not null then i.action end,
      case when i.action_set_at is not null and i.action_acknowledged_at is null then i.action end,
      i.action || '|' || coalesce(h.held, '') || '|'
        || case when h.live = h.held then '=' else coalesce(h.live, '') end] end as facets
  from keys k join instances i on i.instance_key = k.instance_key
  left join lateral (
    select string_agg(a.license_id::text, ',' order by a.license_id) as held,
      string_agg(a.license_id::text, ',' order by a.license_id) filter (where ${seatIsLive(now)}) as live
    from activations a where a.instance_key = i.instance_key and a.ended_at is null
  ) h on true`

/** A row for each facet, and for each live seat by its license, of `facts`, each with `sign` for the instance and for a verified one. */
export const countsOf = (facts: string, sign: 1 | -1): SQL => sql`
  select f.product_id, x.facet, coalesce(x.value, '') as value, ${sign}::int as instances,
    case when f.verified then ${sign}::int else 0 end as verified
  from ${sql.identifier(facts)} f cross join lateral (
    select case when f.facets is null then 'deactivated' else 'all' end as facet, '' as value
    union all
    select (${sql.raw(`array['${FACETS.join("','")}']`)})[place], u.value
    from unnest(f.facets) with ordinality u(value, place) where u.value is not null
    union all
    select 'seat', s.license
    from unnest(string_to_array(split_part(f.facets[${HOLDING}::int], '|',
      case split_part(f.facets[${HOLDING}::int], '|', 3) when '=' then 2 else 3 end), ',')) s(license)
  ) x`

/** Adds the rows of `changes(product_id, facet, value, instances, verified)` to the sums. */
export const addCounts: SQL = sql`
  insert into fleet_counts as c (product_id, facet, key, value, instances, verified)
  select product_id, facet, md5(value)::uuid, value, sum(instances), sum(verified) from changes
  group by product_id, facet, value having sum(instances) <> 0 or sum(verified) <> 0
  order by product_id, facet, md5(value)::uuid
  on conflict (product_id, facet, key) do update set
    instances = c.instances + excluded.instances, verified = c.verified + excluded.verified`

/** The minutes that `taken`, rows of `fleet_age_changes`, add and take away. */
export const minutesOf = (taken: string): SQL => sql`
  select t.product_id, m.minute, m.sign as instances, case when t.verified then m.sign else 0 end as verified
  from ${sql.identifier(taken)} t cross join lateral (
    select unnest(t.gained) as minute, 1 as sign union all select unnest(t.lost), -1) m`

/** Adds the rows of `minutes(product_id, minute, instances, verified)` to the sums. */
export const addMinutes: SQL = sql`
  insert into fleet_ages as a (product_id, minute, instances, verified)
  select product_id, minute, sum(instances), sum(verified) from minutes
  group by product_id, minute having sum(instances) <> 0 or sum(verified) <> 0
  order by product_id, minute
  on conflict (product_id, minute) do update set
    instances = a.instances + excluded.instances, verified = a.verified + excluded.verified`
