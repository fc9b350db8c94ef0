// Reads one metric's history for an admin, from the sums alone: the reports themselves are never looked at.
import { sql } from 'drizzle-orm'
import type { TelemetryQuery } from '../../contract/admin-telemetry.schema.ts'
import type { MetricKind } from '../../contract/catalog.ts'
import { MOST_DAYS, type TelemetryBucket } from '../../contract/telemetry.ts'
import { partitionDay } from '../../db/partitions.ts'
import {
  addSeconds,
  DAY_SECONDS,
  fromUnixSeconds,
  HOUR_SECONDS,
  parseRfc3339,
  unixSeconds,
} from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { type ProductRow, productByCode } from '../kernel/find-catalog.ts'
import { decodeCursor, type Page, pageOf, TEXT_PART, TIME_PART } from '../kernel/paging.ts'

/** What is the same in every row of a series is not read again with each. */
export type SumsRow = {
  /** Start of the hour or day: seconds since 1970. */
  bucket: number
  /** Version, tier code or license UUID; empty for `all`, and where there is none. */
  value: string
  samples: number
  samples_verified: number
  increase: number
  increase_verified: number
  gauge_sum: number
  gauge_sum_verified: number
  gauge_max: number | null
  gauge_max_verified: number | null
  instances: number
  instances_verified: number
}

export interface Telemetry {
  query: TelemetryQuery
  kind: MetricKind
  from: Date
  to: Date
  completeUntil: Date
  page: Page<SumsRow>
}

const BUCKET_SECONDS: Record<TelemetryBucket, number> = { hour: HOUR_SECONDS, day: DAY_SECONDS }
const DEFAULT_SECONDS: Record<TelemetryBucket, number> = { hour: DAY_SECONDS, day: 30 * DAY_SECONDS }

/**
 * A page of the series in three statements, whatever its length.
 * @throws Refusal `product_unknown`; `invalid_request` for a metric that the product does not name (a typing error
 * would look like a silent fleet), a range that is empty or too long, or a cursor of something else.
 */
export async function readTelemetry(ctx: Ctx, query: TelemetryQuery): Promise<Telemetry> {
  requireRole(ctx, 'auditor')
  const product = await productByCode(ctx.db, query.product)
  const kind = kindOf(product, query.metric)
  const { from, to } = rangeOf(query, ctx.clock.now())
  const [since, value] = query.after === undefined ? [unixSeconds(from) - 1, ''] : positionOf(query.after, to)
  const completeUntil = await oldestUncounted(ctx)
  // The driver's own rows, and times as numbers: thousands of them are read for one answer.
  const rows = await ctx.db.execute<SumsRow>(sql`
    select date_part('epoch', bucket) as bucket, value, samples::float8 as samples,
      samples_verified::float8 as samples_verified, increase, increase_verified, gauge_sum, gauge_sum_verified,
      gauge_max, gauge_max_verified, instances, instances_verified
    from telemetry_sums s
    where product_id = ${product.id} and metric = ${query.metric} and grain = ${query.bucket}
      and dimension = ${query.group_by ?? 'all'}
      and bucket >= ${from.toISOString()}::timestamptz and bucket < ${to.toISOString()}::timestamptz
      and (s.bucket, s.value) > (to_timestamp(${since}::float8), ${value}::text)
    order by s.bucket, s.value limit ${query.limit + 1}`)
  const page = pageOf(rows, query.limit, (row) => [String(row.bucket), row.value])
  return { query, kind, from, to, completeUntil, page }
}

/** Bucket (seconds since 1970) and value that the page before ended with. Who made one up is at the end at most. */
function positionOf(cursor: string, end: Date): [number, string] {
  const [bucket, value] = decodeCursor(cursor, TIME_PART, TEXT_PART)
  return [Math.min(Number(bucket), unixSeconds(end)), value]
}

/**
 * When the oldest report came that no sum holds yet; now where there is none. Ids rise with the time. The day is a
 * parameter so that the statement, which has a partition a day to plan for, is prepared.
 */
async function oldestUncounted(ctx: Ctx): Promise<Date> {
  const [oldest] = await ctx.db.execute<{ at: string }>(sql`
    select to_char(received_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at
    from reports where not summed and received_on <= ${partitionDay(addSeconds(ctx.clock.now(), DAY_SECONDS))}::date
    order by received_on, id limit 1`)
  return oldest ? parseRfc3339(oldest.at) : ctx.clock.now()
}

function kindOf(product: ProductRow, metric: string): MetricKind {
  const rule = Object.hasOwn(product.metricMap, metric) ? product.metricMap[metric] : undefined
  if (rule) return rule.kind
  const metrics = Object.keys(product.metricMap).sort()
  throw new Refusal('invalid_request', `The product ${product.code} has no metric ${metric}.`, {
    facts: {
      reason: 'metric_unknown',
      metrics,
      errors: [{ pointer: '/metric', message: 'not in the metric map of the product' }],
    },
    fix: metrics.length > 0 ? `Ask for ${oneOf(metrics)}.` : "Set the product's metric_map first.",
  })
}

/** All of a few names, and of many where they stand. */
const oneOf = (names: readonly string[]): string =>
  names.length <= 12 ? `one of ${names.join(', ')}` : 'one of `metrics`'

/** Whole buckets: the first one that `from` lies in, to the end of the last one before `to`. */
function rangeOf(query: TelemetryQuery, now: Date): { from: Date; to: Date } {
  const { bucket } = query
  const size = BUCKET_SECONDS[bucket]
  const end = query.to === undefined ? addSeconds(now, 1) : parseRfc3339(query.to)
  const to = fromUnixSeconds(Math.ceil(end.getTime() / 1000 / size) * size)
  const begin = query.from === undefined ? addSeconds(to, -DEFAULT_SECONDS[bucket]) : parseRfc3339(query.from)
  const from = fromUnixSeconds(Math.floor(unixSeconds(begin) / size) * size)
  const days = (to.getTime() - from.getTime()) / 1000 / DAY_SECONDS
  if (days <= 0 || begin >= end) throw badRange('`from` must lie before `to`.', { reason: 'range_empty' })
  if (days > MOST_DAYS[bucket]) {
    throw badRange(`By ${bucket} the range may be ${MOST_DAYS[bucket]} days at most.`, {
      reason: 'range_too_long',
      days,
      limit: MOST_DAYS[bucket],
    })
  }
  return { from, to }
}

const badRange = (detail: string, facts: Record<string, unknown>) =>
  new Refusal('invalid_request', detail, {
    facts: { ...facts, errors: [{ pointer: '/from', message: detail }] },
    fix: 'Give other `from` and `to`, or `bucket=day`.',
  })
