// Findings about instances. At most one open row per instance and type; a repeated sighting raises its count.
import { sql } from 'drizzle-orm'
import {
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import type { AnomalySeverity, AnomalyType } from '../../contract/anomalies.ts'
import type { Proof } from '../../contract/catalog.ts'
import { instant } from './columns.ts'

export const anomalies = pgTable(
  'anomalies',
  {
    instanceKey: uuid('instance_key').notNull(),
    id: uuid('id').notNull(),
    productId: uuid('product_id').notNull(),
    type: text('type').$type<AnomalyType>().notNull(),
    severity: text('severity').$type<AnomalySeverity>().notNull(),
    count: integer('count').notNull(),
    firstSeenAt: instant('first_seen_at').notNull(),
    lastSeenAt: instant('last_seen_at').notNull(),
    evidence: jsonb('evidence').$type<Record<string, unknown>>().notNull(),
    proof: text('proof').$type<Proof>().notNull(),
    resolvedAt: instant('resolved_at'),
    resolvedBy: text('resolved_by'),
    note: text('note'),
  },
  (t) => [
    primaryKey({ name: 'anomalies_pk', columns: [t.instanceKey, t.id] }),
    uniqueIndex('anomalies_one_open').on(t.instanceKey, t.type).where(sql`${t.resolvedAt} is null`),
    check('anomalies_proof_known', sql`${t.proof} in ('none', 'instance', 'license', 'relay')`),
    check('anomalies_severity_known', sql`${t.severity} in ('low', 'medium', 'high')`),
    index('anomalies_newest_idx').on(t.id.desc()),
  ],
)
