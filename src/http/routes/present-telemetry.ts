// A metric's history as the admin API shows it: all reports, and apart those that came with a proof (T11). Pure.
import type {
  TelemetryNumbers,
  TelemetryRow,
  TelemetrySeries,
} from '../../contract/admin-telemetry.schema.ts'
import type { MetricKind } from '../../contract/catalog.ts'
import type { TelemetryGroup } from '../../contract/telemetry.ts'
import type { SumsRow, Telemetry } from '../../domain/telemetry/read-telemetry.ts'
import { publicId } from '../../platform/ids.ts'
import { fromUnixSeconds, rfc3339 } from '../../platform/time.ts'
import { type Cell, csvOf } from '../table-answer.ts'

/** `next` is the path of the page after this one. */
export function presentTelemetry(
  { query, kind, from, to, completeUntil, page }: Telemetry,
  next: string | null,
): TelemetrySeries {
  const timeOf = bucketNames()
  return {
    product: query.product,
    metric: query.metric,
    kind,
    bucket: query.bucket,
    group_by: query.group_by ?? null,
    from: rfc3339(from),
    to: rfc3339(to),
    complete_until: rfc3339(completeUntil),
    next,
    rows: page.items.map((row) => presentRow(row, timeOf(row.bucket), kind, query.group_by)),
  }
}

/** Writes each time once: a bucket has a row for every group, one after the other. */
function bucketNames(): (seconds: number) => string {
  let last: number | undefined
  let name = ''
  return (seconds) => {
    if (seconds !== last) name = rfc3339(fromUnixSeconds(seconds))
    last = seconds
    return name
  }
}

function presentRow(
  row: SumsRow,
  bucket: string,
  kind: MetricKind,
  groupBy: TelemetryGroup | undefined,
): TelemetryRow {
  return {
    bucket,
    group: groupName(groupBy, row.value),
    ...numbersOf(kind, row.samples, row.increase, row.gauge_sum, row.gauge_max, row.instances),
    verified: numbersOf(
      kind,
      row.samples_verified,
      row.increase_verified,
      row.gauge_sum_verified,
      row.gauge_max_verified,
      row.instances_verified,
    ),
  }
}

function groupName(groupBy: TelemetryGroup | undefined, value: string): string | null {
  if (value === '') return null
  return groupBy === 'license' ? publicId('lic', value) : value
}

function numbersOf(
  kind: MetricKind,
  samples: number,
  increase: number,
  sum: number,
  maximum: number | null,
  instances: number,
): TelemetryNumbers {
  return kind === 'counter'
    ? { increase, average: null, maximum: null, samples, instances }
    : { increase: null, average: samples === 0 ? null : sum / samples, maximum, samples, instances }
}

const NUMBERS = ['increase', 'average', 'maximum', 'samples', 'instances'] as const

/** The rows of the series; the group's column has its name. */
export function telemetryCsv({ group_by, rows }: TelemetrySeries): string {
  const columns = ['bucket', group_by ?? 'group', ...NUMBERS, ...NUMBERS.map((name) => `verified_${name}`)]
  return csvOf(
    columns,
    rows.map((row): Cell[] => [
      row.bucket,
      row.group,
      ...NUMBERS.map((name) => row[name]),
      ...NUMBERS.map((name) => row.verified[name]),
    ]),
  )
}
