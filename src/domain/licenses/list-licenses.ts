// Reads licenses for an admin: one, or pages of them.
import { and, eq, gte, lt, type SQL, sql } from 'drizzle-orm'
import type { LicenseQuery } from '../../contract/admin-licenses.schema.ts'
import { customers, licenses, products, tiers } from '../../db/schema/index.ts'
import { parsePublicId } from '../../platform/ids.ts'
import { parseRfc3339 } from '../../platform/time.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { decodeCursor, type Page, pageOf, UUID_PART } from '../kernel/paging.ts'
import { licenseStateSql } from '../rights/state-sql.ts'
import { type LicenseView, viewLicense, viewLicenses } from './license-view.ts'

/** @throws Refusal `not_found` */
export async function getLicense(ctx: Ctx, id: string): Promise<LicenseView> {
  requireRole(ctx, 'auditor')
  return viewLicense(ctx.db, uuidOf('lic', id, 'license'), ctx.clock.now())
}

/** Newest first. A filter that nothing meets is an empty page, an unknown product or customer included. */
export async function listLicenses(ctx: Ctx, query: LicenseQuery): Promise<Page<LicenseView>> {
  requireRole(ctx, 'auditor')
  const now = ctx.clock.now()
  const { after, customer, expiring_after: from, expiring_before: before } = query
  const where = and(
    after === undefined ? undefined : lt(licenses.id, decodeCursor(after, UUID_PART)[0]),
    customer === undefined
      ? undefined
      : eq(licenses.customerId, parsePublicId('cus', customer) ?? notFound('customer')),
    query.product === undefined ? undefined : eq(products.code, query.product),
    query.status === undefined ? undefined : hasStatus(query.status, now),
    query.tier === undefined ? undefined : eq(tiers.code, query.tier),
    query.text === undefined ? undefined : contains(query.text),
    from === undefined ? undefined : gte(licenses.expiresAt, parseRfc3339(from)),
    before === undefined ? undefined : lt(licenses.expiresAt, parseRfc3339(before)),
  )
  const rows = await viewLicenses(ctx.db, where, now, query.limit + 1)
  return pageOf(rows, query.limit, (row) => [row.id])
}

const contains = (text: string): SQL => sql`strpos(lower(concat_ws(e'\n', ${licenses.label},
  ${licenses.tenantId}, ${customers.name}, ${customers.company}, ${customers.email})), lower(${text}::text)) > 0`

function hasStatus(status: NonNullable<LicenseQuery['status']>, now: Date): SQL | undefined {
  const state = licenseStateSql(now, { license: sql`licenses`, tier: sql`tiers` })
  switch (status) {
    case 'suspended':
    case 'revoked':
      return eq(licenses.status, status)
    case 'active':
      return and(eq(licenses.status, 'active'), sql`${state} in ('active', 'in_grace')`)
    case 'in_grace':
    case 'expired':
      return and(eq(licenses.status, 'active'), sql`${state} = ${status}`)
  }
}
