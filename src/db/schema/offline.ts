// What was issued for sites without a network: envelopes and offline activations. What is handed out is never stored.
import { index, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { id, instant } from './columns.ts'
import { licenses } from './licenses.ts'

export const envelopes = pgTable(
  'envelopes',
  {
    id: id(),
    licenseId: uuid('license_id')
      .notNull()
      .references(() => licenses.id),
    /** The `raw` key that signed it. */
    kid: text('kid').notNull(),
    tenantId: text('tenant_id').notNull(),
    label: text('label'),
    boundInstanceKey: uuid('bound_instance_key'),
    issuedAt: instant('issued_at').notNull(),
    /** Null: perpetual. */
    expiresAt: instant('expires_at'),
    graceDays: integer('grace_days').notNull(),
    issuedBy: text('issued_by').notNull(),
  },
  (t) => [index('envelopes_license_idx').on(t.licenseId)],
)
