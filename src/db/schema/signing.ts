// Keys and secrets at rest: everything private is sealed under the master key.
import { sql } from 'drizzle-orm'
import { bigint, check, index, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import type { KeyUse } from '../../contract/claims.ts'
import { instant } from './columns.ts'
import { products } from './products.ts'

/** Status is decided from the four times, never stored: pending, active, retiring, retired, revoked (T4). */
export const signingKeys = pgTable(
  'signing_keys',
  {
    kid: text('kid').primaryKey(),
    productId: uuid('product_id')
      .notNull()
      .references(() => products.id),
    use: text('use').$type<KeyUse>().notNull(),
    publicKeyHex: text('public_key_hex').notNull(),
    sealedPrivateKey: text('sealed_private_key').notNull(),
    createdAt: instant('created_at').notNull(),
    notBefore: instant('not_before').notNull(),
    supersededAt: instant('superseded_at'),
    retiredAt: instant('retired_at'),
    revokedAt: instant('revoked_at'),
  },
  (t) => [
    check('signing_keys_use_known', sql`${t.use} in ('license', 'control', 'raw')`),
    index('signing_keys_product_use_idx').on(t.productId, t.use),
  ],
)

export const keySets = pgTable('key_sets', {
  number: bigint('number', { mode: 'number' }).primaryKey(),
  issuedAt: instant('issued_at').notNull(),
  expiresAt: instant('expires_at').notNull(),
  /** SHA-256 of the signed members, so that an unchanged set is not signed again. */
  digest: text('digest').notNull(),
  jws: text('jws').notNull(),
})

export const serverSecrets = pgTable('server_secrets', {
  name: text('name').primaryKey(),
  sealed: text('sealed').notNull(),
  createdAt: instant('created_at').notNull(),
})

export const adminKeys = pgTable(
  'admin_keys',
  {
    id: uuid('id').primaryKey(),
    name: text('name').notNull(),
    role: text('role').$type<'owner' | 'operator' | 'support' | 'auditor'>().notNull(),
    hash: text('hash').notNull().unique('admin_keys_hash_unique'),
    prefix: text('prefix').notNull(),
    createdAt: instant('created_at').notNull(),
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
  },
  (t) => [check('admin_keys_role_known', sql`${t.role} in ('owner', 'operator', 'support', 'auditor')`)],
)
