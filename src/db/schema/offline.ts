// What was issued for sites without a network: envelopes and offline activations. What is handed out is never stored.
import { index, integer, pgTable, text, unique, uuid } from 'drizzle-orm/pg-core'
import type { Action } from '../../contract/claims.ts'
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

/** One row for each request file that was answered: its nonce is answered once. */
export const offlineActivations = pgTable(
  'offline_activations',
  {
    id: id(),
    licenseId: uuid('license_id')
      .notNull()
      .references(() => licenses.id),
    instanceKey: uuid('instance_key').notNull(),
    nonce: text('nonce').notNull(),
    /** What the answer says; and what the site believed when it asked. */
    action: text('action').$type<Action>().notNull(),
    toldAction: text('told_action').$type<Action>().notNull(),
    /** The license JWT in the answer, which the seat is held by. */
    staticJwtId: uuid('static_jwt_id').notNull(),
    issuedAt: instant('issued_at').notNull(),
    /** End of the lease. */
    expiresAt: instant('expires_at').notNull(),
    /** End of the seat: of the lease with its grace. */
    leaseEndsAt: instant('lease_ends_at').notNull(),
    issuedBy: text('issued_by').notNull(),
  },
  (t) => [
    unique('offline_activations_nonce_unique').on(t.instanceKey, t.nonce),
    index('offline_activations_license_idx').on(t.licenseId),
  ],
)
