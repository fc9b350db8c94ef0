// Telemetry of the admin API in zod.
import { z } from 'zod'
import { instant } from './admin-fields.schema.ts'
import { METRIC_KINDS } from './catalog.ts'
import { catalogCode, limitName } from './rights.schema.ts'
import { DEFAULT_ROWS, MOST_DAYS, MOST_ROWS, TELEMETRY_BUCKETS, TELEMETRY_GROUPS } from './telemetry.ts'

export const telemetryQuery = z.strictObject({
  product: catalogCode.meta({ example: 'keldris' }),
  metric: limitName.meta({ description: "One of the product's metric map.", example: 'queries_total' }),
  from: instant.optional().meta({
    description: 'RFC 3339, rounded down to a whole bucket. Default: 30 days, or 24 hours, before `to`.',
  }),
  to: instant.optional().meta({ description: 'RFC 3339, rounded up to a whole bucket. Default: now.' }),
  bucket: z
    .enum(TELEMETRY_BUCKETS)
    .default('day')
    .meta({ description: `In UTC; at most ${MOST_DAYS.day} days by day, ${MOST_DAYS.hour} days by hour.` }),
  group_by: z.enum(TELEMETRY_GROUPS).optional(),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(MOST_ROWS)
    .default(DEFAULT_ROWS)
    .meta({ description: 'Rows on a page.', example: DEFAULT_ROWS }),
  after: z
    .string()
    .min(1)
    .max(1024)
    .optional()
    .meta({ description: 'Opaque; `next` and the `Link` header of the page before hold it.' }),
})

const numbers = {
  increase: z
    .number()
    .nullable()
    .meta({ description: 'By how much the counter grew over all instances; null for a gauge.' }),
  average: z.number().nullable().meta({ description: 'Over all samples; null for a counter.' }),
  maximum: z.number().nullable().meta({ description: 'Null for a counter.' }),
  samples: z.int().meta({ description: 'Reports that held the metric.' }),
  instances: z.int().meta({ description: 'Distinct instances that reported the metric.' }),
}

export const telemetryNumbers = z.object(numbers).meta({ id: 'TelemetryNumbers' })

export const telemetryRow = z
  .object({
    bucket: z.string().meta({ description: 'Start of the hour or day.', example: '2026-11-22T00:00:00Z' }),
    group: z
      .string()
      .nullable()
      .meta({
        description:
          'Version, tier or `lic_…`; null without `group_by`, and where reports named none. Versions beyond the most ' +
          'of a day are `other`.',
      }),
    ...numbers,
    verified: telemetryNumbers.meta({ description: 'The share of it that came with a proof (T11).' }),
  })
  .meta({ id: 'TelemetryRow' })

export const telemetrySeries = z
  .object({
    product: z.string(),
    metric: z.string(),
    kind: z.enum(METRIC_KINDS),
    bucket: z.enum(TELEMETRY_BUCKETS),
    group_by: z.enum(TELEMETRY_GROUPS).nullable(),
    from: z.string(),
    to: z.string(),
    complete_until: z
      .string()
      .meta({ description: 'Reports that were received before it are counted; later ones follow.' }),
    next: z.string().nullable().meta({
      description: 'Path of the page with the rows that follow, as in `Link`; null on the last page.',
    }),
    rows: z
      .array(telemetryRow)
      .meta({ description: 'By bucket, then group. A bucket without reports is left out.' }),
  })
  .meta({ id: 'TelemetrySeries' })

export type TelemetryQuery = z.infer<typeof telemetryQuery>
export type TelemetryNumbers = z.infer<typeof telemetryNumbers>
export type TelemetryRow = z.infer<typeof telemetryRow>
export type TelemetrySeries = z.infer<typeof telemetrySeries>
