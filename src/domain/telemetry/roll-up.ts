// Sums reports into the hourly history, each report once. Keeps no report and drops none.
import { sql } from 'drizzle-orm'
import type { Ctx } from '../context.ts'

const BATCH = 5_000
/** Stands where a report came without a license. */
const NO_LICENSE = '00000000-0000-0000-0000-000000000000'

/**
 * Adds every report that is not rolled up yet to `telemetry_hourly`: counters by their increase; gauges by sum, highest
 * value and number of samples; per product, metric, hour observed, version, tier and license. Only metrics that the
 * product's metric map names: of others nobody knows what adding them up would mean. Many processes may do it at once.
 */
export async function rollUpReports(ctx: Ctx, signal: AbortSignal): Promise<{ reports: number } | null> {
  for (let reports = 0; ; ) {
    const taken = await rollUpBatch(ctx)
    reports += taken
    if (taken < BATCH || signal.aborted) return reports > 0 ? { reports } : null
  }
}

/** One statement, so that a report is marked if and only if it was counted. */
async function rollUpBatch({ db }: Ctx): Promise<number> {
  const [result] = await db.execute<{ taken: number }>(sql`
    with batch as materialized (
      select instance_key, received_on, id from reports where not rolled_up
      order by received_on, id limit ${BATCH} for update skip locked
    ), taken as (
      update reports r set rolled_up = true from batch b
      where r.instance_key = b.instance_key and r.received_on = b.received_on and r.id = b.id
      returning r.product_id, r.license_id, r.observed_at, r.version, r.tier, r.metrics, r.increases
    ), facts as (
      select t.product_id, m.key as metric, date_trunc('hour', t.observed_at, 'UTC') as hour,
        coalesce(t.version, '') as version, coalesce(t.tier, '') as tier,
        coalesce(t.license_id, ${NO_LICENSE}::uuid) as license_id,
        p.metric_map -> m.key ->> 'kind' = 'gauge' as gauge,
        m.value::double precision as value, coalesce((t.increases ->> m.key)::double precision, 0) as increase
      from taken t join products p on p.id = t.product_id cross join lateral jsonb_each_text(t.metrics) m
      where p.metric_map ? m.key
    ), written as (
      insert into telemetry_hourly as h
        (product_id, metric, hour, version, tier, license_id, increase, gauge_sum, gauge_max, samples)
      select product_id, metric, hour, version, tier, license_id, sum(increase),
        coalesce(sum(value) filter (where gauge), 0), coalesce(max(value) filter (where gauge), 0), count(*)
      from facts
      group by product_id, metric, hour, version, tier, license_id
      order by product_id, metric, hour, version, tier, license_id
      on conflict (product_id, metric, hour, version, tier, license_id) do update set
        increase = h.increase + excluded.increase, gauge_sum = h.gauge_sum + excluded.gauge_sum,
        gauge_max = greatest(h.gauge_max, excluded.gauge_max), samples = h.samples + excluded.samples
    )
    select count(*)::int as taken from taken`)
  return result?.taken ?? 0
}
