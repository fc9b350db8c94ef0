// Who has had a trial, and how often something public was asked for. Neither holds an address in plain.
import { index, integer, pgTable, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core'
import { id, instant } from './columns.ts'
import { products } from './products.ts'

export const trials = pgTable(
  'trials',
  {
    id: id(),
    productId: uuid('product_id')
      .notNull()
      .references(() => products.id),
    /** HMAC of the normalised address under the pepper. */
    emailHash: text('email_hash').notNull(),
    tierId: uuid('tier_id').notNull(),
    /** Both are written after it, in the same transaction: who comes second waits here and writes nothing. */
    customerId: uuid('customer_id').notNull(),
    licenseId: uuid('license_id').notNull(),
    startedAt: instant('started_at').notNull(),
  },
  (t) => [unique('trials_product_email_unique').on(t.productId, t.emailHash)],
)

/** Counters of fixed windows that all processes share. */
export const usageCounts = pgTable(
  'usage_counts',
  {
    scope: text('scope').notNull(),
    /** A product's id, or the HMAC of a network. */
    key: text('key').notNull(),
    windowStart: instant('window_start').notNull(),
    count: integer('count').notNull(),
  },
  (t) => [
    primaryKey({ name: 'usage_counts_pk', columns: [t.scope, t.key, t.windowStart] }),
    index('usage_counts_age_idx').on(t.windowStart),
  ],
)
