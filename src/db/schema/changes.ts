// What happened: the audit log and the numbered events, both written by recordChange only; the leases of jobs; and the
// answers that a repeated request gets again.
import { sql } from 'drizzle-orm'
import { bigint, index, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

export const auditLog = pgTable(
  'audit_log',
  {
    id: uuid('id').primaryKey(),
    at: instant('at').notNull(),
    actorKind: text('actor_kind').notNull(),
    actorId: text('actor_id').notNull(),
    action: text('action').notNull(),
    subject: text('subject').notNull(),
    reason: text('reason'),
    details: jsonb('details').$type<Record<string, unknown>>().notNull(),
    requestId: text('request_id').notNull(),
  },
  (t) => [
    index('audit_log_at_idx').on(t.at),
    index('audit_log_subject_idx').on(t.subject, t.at),
    index('audit_log_actor_idx').on(t.actorId, t.action, t.at),
  ],
)

export const events = pgTable(
  'events',
  {
    /** Rises in commit order; `max(previous + 1, unix milliseconds)` so that it rises past a restore too (T12). */
    number: bigint('number', { mode: 'number' }).primaryKey(),
    at: instant('at').notNull(),
    type: text('type').notNull(),
    productId: uuid('product_id'),
    licenseId: uuid('license_id'),
    instanceKey: uuid('instance_key'),
    customerId: uuid('customer_id'),
    subject: text('subject').notNull(),
    /** Tells an event from another of the same number, after a restore or a failover. */
    mark: uuid('mark').notNull().default(sql`gen_random_uuid()`),
  },
  (t) => [index('events_at_idx').on(t.at)],
)

export const jobLeases = pgTable('job_leases', {
  name: text('name').primaryKey(),
  holder: text('holder').notNull(),
  leasedUntil: instant('leased_until').notNull(),
  lastStartedAt: instant('last_started_at'),
  lastFinishedAt: instant('last_finished_at'),
  lastError: text('last_error'),
})

/** One row for each request that was carried out under an idempotency key, written in the transaction of its effect. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    /** SHA-256 over admin key, method, path and idempotency key. */
    id: text('id').primaryKey(),
    /** HMAC over query and body: the same key with another request is refused. */
    requestHash: text('request_hash').notNull(),
    /** Status, headers and body. It may show a secret that is stored nowhere else. */
    sealedAnswer: text('sealed_answer').notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (t) => [index('idempotency_keys_created_at_idx').on(t.createdAt)],
)
