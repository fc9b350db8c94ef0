// Reads one metric's history for an admin, from the sums alone: the reports themselves are never looked at.
import { and, eq, getTableColumns, gte, lt, sql } from 'drizzle-orm'
import type { TelemetryQuery } from '../../contract/admin-telemetry.schema.ts'
import type { MetricKind } from '../../contract/catalog.ts'
import { MOST_DAYS, type TelemetryBucket } from '../../contract/telemetry.ts'
import { partitionDay } from '../../db/partitions.ts'
import { telemetrySums } from '../../db/schema/index.ts'
import {
  addSeconds,
  DAY_SECONDS,
  fromUnixSeconds,
  HOUR_SECONDS,
  parseRfc3339,
  unixSeconds,
} from '../../platform/time.ts'
import { type ProductRow, productByCode } from '../catalog/find-catalog.ts'
import { type Ctx, Refusal, requireRole } from '../context.ts'

const {
  productId: _product,
  metric: _metric,
  grain: _grain,
  dimension: _dimension,
  ...columns
} = getTableColumns(telemetrySums)

/** What is the same in every row of a series is not read again with each. */
export type SumsRow = Omit<typeof telemetrySums.$inferSelect, 'productId' | 'metric' | 'grain' | 'dimension'>

export interface Telemetry {
  query: TelemetryQuery
  kind: MetricKind
  from: Date
  to: Date
  completeUntil: Date
  rows: SumsRow[]
}

const BUCKET_SECONDS: Record<TelemetryBucket, number> = { hour: HOUR_SECONDS, day: DAY_SECONDS }
const DEFAULT_SECONDS: Record<TelemetryBucket, number> = { hour: DAY_SECONDS, day: 30 * DAY_SECONDS }
/** What one answer holds at most: 31 days by hour in 26 groups. */
export const MOST_ROWS = 20_000

/**
 * The series in three statements, whatever its length.
 * @throws Refusal `product_unknown`; `invalid_request` for a metric that the product does not name (a typing error
 * would look like a silent fleet), a range that is empty or too long, or an answer of too many rows.
 */
export async function readTelemetry(ctx: Ctx, query: TelemetryQuery): Promise<Telemetry> {
  requireRole(ctx, 'auditor')
  const product = await productByCode(ctx.db, query.product)
  const kind = kindOf(product, query.metric)
  const { from, to } = rangeOf(query, ctx.clock.now())
  const completeUntil = await oldestUncounted(ctx)
  const rows = await ctx.db
    .select(columns)
    .from(telemetrySums)
    .where(
      and(
        eq(telemetrySums.productId, product.id),
        eq(telemetrySums.metric, query.metric),
        eq(telemetrySums.grain, query.bucket),
        eq(telemetrySums.dimension, query.group_by ?? 'all'),
        gte(telemetrySums.bucket, from),
        lt(telemetrySums.bucket, to),
      ),
    )
    .orderBy(telemetrySums.bucket, telemetrySums.value)
    .limit(MOST_ROWS + 1)
  if (rows.length > MOST_ROWS) throw tooManyRows()
  return { query, kind, from, to, completeUntil, rows }
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
    fix: metrics.length > 0 ? 'Ask for one of `metrics`.' : "Set the product's metric_map first.",
  })
}

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

const tooManyRows = () =>
  new Refusal('invalid_request', `The answer would hold more than ${MOST_ROWS} rows.`, {
    facts: { reason: 'too_many_rows', limit: MOST_ROWS },
    fix: 'Ask for a shorter range, for `bucket=day`, or in several parts.',
  })
