// What was told about a license's end, so that each notice is given once for each end that the license had.

import { sql } from 'drizzle-orm'
import { check, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { licenses } from './licenses.ts'

export const licenseNotices = pgTable(
  'license_notices',
  {
    licenseId: uuid('license_id')
      .notNull()
      .references(() => licenses.id),
    /** The end that it is about: a renewal begins anew. */
    expiresAt: instant('expires_at').notNull(),
    notice: text('notice').notNull(),
    givenAt: instant('given_at').notNull(),
  },
  (t) => [
    primaryKey({ name: 'license_notices_pk', columns: [t.licenseId, t.expiresAt, t.notice] }),
    check(
      'license_notices_notice_known',
      sql`${t.notice} in ('expiring_60d', 'expiring_30d', 'expiring_14d', 'expiring_7d', 'expiring_1d', 'expired',
        'grace_ended')`,
    ),
  ],
)
