// Who bought what: customers, licenses, and the credentials that prove a license.
import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core'
import type { StoredLicenseStatus } from '../../contract/catalog.ts'
import { id, instant } from './columns.ts'
import { products, tiers } from './products.ts'

export const customers = pgTable('customers', {
  id: id(),
  name: text('name').notNull(),
  company: text('company').notNull(),
  email: text('email'),
  metadata: jsonb('metadata').$type<Record<string, unknown>>().notNull(),
  createdAt: instant('created_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
})

export const licenses = pgTable(
  'licenses',
  {
    id: id(),
    productId: uuid('product_id')
      .notNull()
      .references(() => products.id),
    tierId: uuid('tier_id').notNull(),
    customerId: uuid('customer_id')
      .notNull()
      .references(() => customers.id),
    status: text('status').$type<StoredLicenseStatus>().notNull(),
    statusReason: text('status_reason'),
    statusChangedAt: instant('status_changed_at').notNull(),
    issuedAt: instant('issued_at').notNull(),
    expiresAt: instant('expires_at'),
    graceDays: integer('grace_days'),
    featuresAdded: text('features_added').array().notNull(),
    featuresRemoved: text('features_removed').array().notNull(),
    limits: jsonb('limits').$type<Record<string, number>>().notNull(),
    seatLimit: integer('seat_limit'),
    tenantId: text('tenant_id'),
    label: text('label'),
    isTrial: boolean('is_trial').notNull(),
    fingerprint: text('fingerprint'),
    metadata: jsonb('metadata').$type<Record<string, unknown>>().notNull(),
    version: integer('version').notNull(),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (t) => [
    foreignKey({
      name: 'licenses_tier_of_product_fk',
      columns: [t.tierId, t.productId],
      foreignColumns: [tiers.id, tiers.productId],
    }),
    check('licenses_status_known', sql`${t.status} in ('active', 'suspended', 'revoked')`),
    check('licenses_grace_days_range', sql`${t.graceDays} is null or ${t.graceDays} between 0 and 3650`),
    check('licenses_seat_limit_positive', sql`${t.seatLimit} is null or ${t.seatLimit} >= 0`),
    index('licenses_customer_idx').on(t.customerId),
    index('licenses_product_status_idx').on(t.productId, t.status),
    index('licenses_expires_idx').on(t.expiresAt),
  ],
)

export const licenseKeys = pgTable(
  'license_keys',
  {
    id: id(),
    licenseId: uuid('license_id')
      .notNull()
      .references(() => licenses.id),
    hash: text('hash').notNull(),
    prefix: text('prefix').notNull(),
    name: text('name').notNull(),
    offline: boolean('offline').notNull(),
    expiresAt: instant('expires_at'),
    retiredAt: instant('retired_at'),
    revokedAt: instant('revoked_at'),
    endSessions: boolean('end_sessions').notNull(),
    createdAt: instant('created_at').notNull(),
    replacedBy: uuid('replaced_by'),
  },
  (t) => [unique('license_keys_hash_unique').on(t.hash), index('license_keys_license_idx').on(t.licenseId)],
)

export const apiKeys = pgTable(
  'api_keys',
  {
    id: id(),
    licenseId: uuid('license_id')
      .notNull()
      .references(() => licenses.id),
    hash: text('hash').notNull(),
    prefix: text('prefix').notNull(),
    name: text('name').notNull(),
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
    endSessions: boolean('end_sessions').notNull(),
    createdAt: instant('created_at').notNull(),
    replacedBy: uuid('replaced_by'),
  },
  (t) => [unique('api_keys_hash_unique').on(t.hash), index('api_keys_license_idx').on(t.licenseId)],
)

/** License JWTs that an admin handed out. The token itself is never stored. */
export const staticJwts = pgTable(
  'static_jwts',
  {
    id: id(),
    licenseId: uuid('license_id')
      .notNull()
      .references(() => licenses.id),
    name: text('name').notNull(),
    refreshable: boolean('refreshable').notNull(),
    boundInstanceKey: uuid('bound_instance_key'),
    expiresAt: instant('expires_at').notNull(),
    revokedAt: instant('revoked_at'),
    endSessions: boolean('end_sessions').notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (t) => [index('static_jwts_license_idx').on(t.licenseId)],
)
