// What instances told: reports (partitioned by the day received), the streams that decide duplicates.
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  date,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import type { Proof, ReportKind } from '../../contract/catalog.ts'
import { instant, sequenceSet } from './columns.ts'

export const reports = pgTable(
  'reports',
  {
    instanceKey: uuid('instance_key').notNull(),
    receivedOn: date('received_on').notNull(),
    id: uuid('id').notNull(),
    productId: uuid('product_id').notNull(),
    licenseId: uuid('license_id'),
    kind: text('kind').$type<ReportKind>().notNull(),
    proof: text('proof').$type<Proof>().notNull(),
    receivedAt: instant('received_at').notNull(),
    /** The instance's own time, clamped to at most 30 days before and never after receiving. */
    observedAt: instant('observed_at').notNull(),
    bootId: uuid('boot_id'),
    seq: bigint('seq', { mode: 'number' }),
    version: text('version'),
    tier: text('tier'),
    metrics: jsonb('metrics').$type<Record<string, number>>().notNull(),
    /** Growth of each counter since the report before it; a drop is a restart. */
    increases: jsonb('increases').$type<Record<string, number>>().notNull(),
    features: text('features').array().notNull(),
    /** Whether `telemetry_sums` holds it. */
    summed: boolean('summed').notNull().default(false),
  },
  (t) => [
    primaryKey({ name: 'reports_pk', columns: [t.instanceKey, t.receivedOn, t.id] }),
    check('reports_kind_known', sql`${t.kind} in ('heartbeat', 'refresh', 'telemetry')`),
    check('reports_proof_known', sql`${t.proof} in ('none', 'instance', 'license', 'relay')`),
    index('reports_not_summed_idx').on(t.receivedOn, t.id).where(sql`not ${t.summed}`),
  ],
)

export const reportStreams = pgTable(
  'report_streams',
  {
    instanceKey: uuid('instance_key').notNull(),
    /** The nil UUID stands for clients that send no boot_id: their reports carry no number and always count. */
    bootId: uuid('boot_id').notNull(),
    lastSeq: bigint('last_seq', { mode: 'number' }).notNull(),
    seen: sequenceSet('seen').notNull(),
    counters: jsonb('counters').$type<Record<string, number>>().notNull(),
    updatedAt: instant('updated_at').notNull(),
    /** When retention looks at it next. Never later than it may go; `updated_at` moves with each report, and no index holds it. */
    forgetDueAt: instant('forget_due_at').notNull().default(sql`'epoch'`),
  },
  (t) => [
    primaryKey({ name: 'report_streams_pk', columns: [t.instanceKey, t.bootId] }),
    index('report_streams_forget_idx').on(t.forgetDueAt),
  ],
)
