// The history of telemetry: sums by hour and by day in the groups that an admin asks for, and what is remembered so
// that each instance and each version counts once. Written by the roll-up alone.
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  date,
  doublePrecision,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import type { TelemetryBucket, TelemetryDimension } from '../../contract/telemetry.ts'
import { instant } from './columns.ts'

/** One row is one answer's row: a question over 90 days reads 90 rows for each group, however many reports there were. */
export const telemetrySums = pgTable(
  'telemetry_sums',
  {
    productId: uuid('product_id').notNull(),
    metric: text('metric').notNull(),
    grain: text('grain').$type<TelemetryBucket>().notNull(),
    dimension: text('dimension').$type<TelemetryDimension>().notNull(),
    /** Start of the hour or day (UTC) in which the report was observed. */
    bucket: instant('bucket').notNull(),
    /** Version, tier code or license UUID; empty for `all`, and where there is none. */
    value: text('value').notNull(),
    samples: bigint('samples', { mode: 'number' }).notNull(),
    samplesVerified: bigint('samples_verified', { mode: 'number' }).notNull(),
    increase: doublePrecision('increase').notNull(),
    increaseVerified: doublePrecision('increase_verified').notNull(),
    gaugeSum: doublePrecision('gauge_sum').notNull(),
    gaugeSumVerified: doublePrecision('gauge_sum_verified').notNull(),
    /** Null before the first sample as a gauge. */
    gaugeMax: doublePrecision('gauge_max'),
    gaugeMaxVerified: doublePrecision('gauge_max_verified'),
    instances: integer('instances').notNull(),
    instancesVerified: integer('instances_verified').notNull(),
  },
  (t) => [
    primaryKey({
      name: 'telemetry_sums_pk',
      columns: [t.productId, t.metric, t.grain, t.dimension, t.bucket, t.value],
    }),
    check('telemetry_sums_grain_known', sql`${t.grain} in ('hour', 'day')`),
    check('telemetry_sums_dimension_known', sql`${t.dimension} in ('all', 'version', 'tier', 'license')`),
    index('telemetry_sums_age_idx').on(t.grain, t.bucket),
  ],
)

/** Which sums already count an instance, so that each counts it once. Needed while late reports may come. */
export const telemetryPresence = pgTable(
  'telemetry_presence',
  {
    instanceKey: uuid('instance_key').notNull(),
    day: date('day').notNull(),
    /** 64-bit hashes of the keys of the sums. */
    marks: bigint('marks', { mode: 'bigint' }).array().notNull(),
  },
  (t) => [
    primaryKey({ name: 'telemetry_presence_pk', columns: [t.instanceKey, t.day] }),
    index('telemetry_presence_day_idx').on(t.day),
  ],
)

/** The versions that have sums of their own on a day: a stranger may report any number of them. */
export const telemetryVersions = pgTable(
  'telemetry_versions',
  {
    productId: uuid('product_id').notNull(),
    day: date('day').notNull(),
    version: text('version').notNull(),
    verified: boolean('verified').notNull(),
  },
  (t) => [
    primaryKey({ name: 'telemetry_versions_pk', columns: [t.productId, t.day, t.version] }),
    index('telemetry_versions_day_idx').on(t.day),
  ],
)
