// Sums reports into the history, each report once. Keeps no report and drops none.
import { type SQL, sql } from 'drizzle-orm'
import { OTHER_VERSIONS } from '../../contract/telemetry.ts'
import type { Transaction } from '../../db/client.ts'
import { transaction } from '../../db/transaction.ts'
import { FIRST_SIZE, nextSize } from '../kernel/chunks.ts'
import type { Ctx } from '../kernel/context.ts'

const ROLL_UP_LOCK = 5_027_050
/** Versions with sums of their own, a product and day. Anybody may report as unproven what he likes (T11). */
const MOST_UNPROVEN_VERSIONS = 50
const MOST_PROVEN_VERSIONS = 500

/**
 * Adds every report that is not summed yet to `telemetry_sums`: counters by their increase; gauges by sum, highest
 * value and number of samples; instances by how many reported the metric; each by hour and by day, over all and for
 * each version, tier and license. Only metrics that the product's metric map names: of others nobody knows what adding
 * them up would mean. One process does it at a time; who comes second leaves it to the first.
 */
export async function rollUpReports(ctx: Ctx, signal: AbortSignal): Promise<{ reports: number } | null> {
  // Each metric of a report adds to eight sums: what a batch costs is only known after it.
  let size = FIRST_SIZE
  for (let reports = 0; ; ) {
    const start = ctx.clock.monotonic()
    const taken = await transaction(ctx.db, (tx) => sumBatch(tx, size))
    size = nextSize(size, ctx.clock.monotonic() - start)
    reports += taken
    if (taken === 0 || signal.aborted) return reports > 0 ? { reports } : null
  }
}

/** The marks of an instance are read and written within the lock: two batches must not both count it. */
async function sumBatch(tx: Transaction, size: number): Promise<number> {
  const [lock] = await tx.execute<{ held: boolean }>(
    sql`select pg_try_advisory_xact_lock(${ROLL_UP_LOCK}) as held`,
  )
  if (!lock?.held) return 0
  // One partition at a time, named by a value: a join over all of them would read them all.
  const [oldest] = await tx.execute<{ day: string }>(
    sql`select received_on::text as day from reports where not summed order by received_on, id limit 1`,
  )
  if (!oldest) return 0
  const [result] = await tx.execute<{ taken: number }>(sql`
    with ${takenReports(oldest.day, size)}, ${namedVersions}, ${countedFacts}, ${newSightings},
    written as (
      insert into telemetry_sums as s (product_id, metric, grain, dimension, bucket, value, samples, samples_verified,
        increase, increase_verified, gauge_sum, gauge_sum_verified, gauge_max, gauge_max_verified, instances,
        instances_verified)
      select product_id, metric, grain, dimension, bucket, value, sum(samples), sum(samples_verified), sum(increase),
        sum(increase_verified), sum(gauge_sum), sum(gauge_sum_verified), max(gauge_max), max(gauge_max_verified),
        count(*) filter (where is_new), count(*) filter (where is_new_verified)
      from sightings
      group by product_id, metric, grain, dimension, bucket, value
      on conflict (product_id, metric, grain, dimension, bucket, value) do update set
        samples = s.samples + excluded.samples,
        samples_verified = s.samples_verified + excluded.samples_verified,
        increase = s.increase + excluded.increase,
        increase_verified = s.increase_verified + excluded.increase_verified,
        gauge_sum = s.gauge_sum + excluded.gauge_sum,
        gauge_sum_verified = s.gauge_sum_verified + excluded.gauge_sum_verified,
        gauge_max = greatest(s.gauge_max, excluded.gauge_max),
        gauge_max_verified = greatest(s.gauge_max_verified, excluded.gauge_max_verified),
        instances = s.instances + excluded.instances,
        instances_verified = s.instances_verified + excluded.instances_verified
    ), marked as (
      insert into telemetry_presence as p (instance_key, day, marks)
      select instance_key, day, array_agg(m.mark)
      from sightings cross join lateral (values (mark, is_new), (mark_verified, is_new_verified)) m(mark, fresh)
      where m.fresh
      group by instance_key, day
      on conflict (instance_key, day) do update set marks = p.marks || excluded.marks
    )
    select count(*)::int as taken from taken`)
  return result?.taken ?? 0
}

/** Marked and counted in one statement: a report is marked if and only if it was counted. */
const takenReports = (day: string, size: number): SQL => sql`
  batch as materialized (
    select instance_key, id from reports where received_on = ${day}::date and not summed
    order by received_on, id limit ${size} for update skip locked
  ), taken as materialized (
    update reports r set summed = true from batch b
    where r.received_on = ${day}::date and r.instance_key = b.instance_key and r.id = b.id
    returning r.instance_key, r.product_id, coalesce(r.license_id::text, '') as license,
      date_trunc('hour', r.observed_at, 'UTC') as hour, date_trunc('day', r.observed_at, 'UTC') as day_start,
      (r.observed_at at time zone 'UTC')::date as day, coalesce(r.version, '') as version,
      coalesce(r.tier, '') as tier, r.proof <> 'none' as verified, r.metrics, r.increases
  )`

/** The versions that keep their name: those of the day, then the most frequent ones as long as there is room. */
const namedVersions: SQL = sql`
  reported as (
    select product_id, day, version, bool_or(verified) as verified, count(*) as times
    from taken where version <> '' group by product_id, day, version
  ), known_versions as (
    select r.product_id, r.day, r.version from reported r
    join telemetry_versions v on v.product_id = r.product_id and v.day = r.day and v.version = r.version
  ), candidates as (
    select r.*, row_number() over (partition by product_id, day, verified order by times desc, version) as place
    from reported r where not exists (
      select from known_versions k
      where k.product_id = r.product_id and k.day = r.day and k.version = r.version)
  ), admitted as (
    insert into telemetry_versions (product_id, day, version, verified)
    select c.product_id, c.day, c.version, c.verified from candidates c
    where c.place + (
        select count(*) from telemetry_versions v
        where v.product_id = c.product_id and v.day = c.day and v.verified = c.verified
      ) <= case when c.verified then ${MOST_PROVEN_VERSIONS}::int else ${MOST_UNPROVEN_VERSIONS}::int end
    on conflict do nothing
    returning product_id, day, version
  ), named as (
    select * from known_versions union select * from admitted
  )`

/** What one instance adds to each sum that it belongs to. */
const countedFacts: SQL = sql`
  facts as (
    select t.product_id, t.instance_key, t.day, t.day_start, t.hour, t.tier, t.license, t.verified,
      case when t.version = '' then '' else coalesce(n.version, ${OTHER_VERSIONS}::text) end as version,
      m.key as metric,
      case when p.metric_map -> m.key ->> 'kind' = 'gauge' then m.value::double precision end as gauge,
      coalesce((t.increases ->> m.key)::double precision, 0) as increase
    from taken t
    join products p on p.id = t.product_id
    left join named n on n.product_id = t.product_id and n.day = t.day and n.version = t.version
    cross join lateral jsonb_each_text(t.metrics) m
    where p.metric_map ? m.key
  ), shares as (
    select product_id, metric, g.grain, d.dimension, g.bucket, d.value, instance_key, day,
      count(*) as samples, count(*) filter (where verified) as samples_verified,
      sum(increase) as increase, coalesce(sum(increase) filter (where verified), 0) as increase_verified,
      coalesce(sum(gauge), 0) as gauge_sum, coalesce(sum(gauge) filter (where verified), 0) as gauge_sum_verified,
      max(gauge) as gauge_max, max(gauge) filter (where verified) as gauge_max_verified,
      bool_or(verified) as verified
    from facts
    cross join lateral (values ('hour', hour), ('day', day_start)) g(grain, bucket)
    cross join lateral (values ('all', ''), ('version', version), ('tier', tier), ('license', license))
      d(dimension, value)
    group by product_id, metric, g.grain, d.dimension, g.bucket, d.value, instance_key, day
  )`

/** Which of them count the instance for the first time. A bucket lies within the day that the marks belong to. */
const newSightings: SQL = sql`
  marked_shares as (
    select s.*, hashtextextended(h.key, 0) as mark, hashtextextended(h.key, 1) as mark_verified
    from shares s
    cross join lateral (select concat_ws(' ', grain, extract(hour from bucket at time zone 'UTC'), dimension, metric,
      value) as key) h
  ), known_marks as (
    select p.instance_key, p.day, mark
    from (select distinct instance_key, day from taken) t
    join telemetry_presence p on p.instance_key = t.instance_key and p.day = t.day
    cross join lateral unnest(p.marks) mark
  ), sightings as (
    select s.*, a.mark is null as is_new, s.verified and v.mark is null as is_new_verified
    from marked_shares s
    left join known_marks a on a.instance_key = s.instance_key and a.day = s.day and a.mark = s.mark
    left join known_marks v on v.instance_key = s.instance_key and v.day = s.day and v.mark = s.mark_verified
  )`
