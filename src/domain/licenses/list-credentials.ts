// Reads the credentials of licenses for an admin: pages of them, or one. Hashes stay inside.
import { and, desc, eq, gt, isNotNull, isNull, lt, lte, not, or, type SQL, sql } from 'drizzle-orm'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import type { CredentialQuery, LicenseKeyQuery } from '../../contract/admin-credentials.schema.ts'
import { apiKeys, licenseKeys, staticJwts } from '../../db/schema/index.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { decodeCursor, type Page, pageOf, UUID_PART } from '../kernel/paging.ts'
import type { ApiKeyRow } from './issue-api-key.ts'
import type { LicenseKeyRow } from './issue-license-key.ts'

export type StaticJwtRow = typeof staticJwts.$inferSelect

/** Newest first. */
export async function listApiKeys(ctx: Ctx, query: CredentialQuery): Promise<Page<ApiKeyRow>> {
  requireRole(ctx, 'auditor')
  const rows = await ctx.db
    .select()
    .from(apiKeys)
    .where(and(within(apiKeys, query), hasStatus(apiKeys, query.status, ctx.clock.now())))
    .orderBy(desc(apiKeys.id))
    .limit(query.limit + 1)
  return pageOf(rows, query.limit, (row) => [row.id])
}

/** Newest first. */
export async function listLicenseKeys(ctx: Ctx, query: LicenseKeyQuery): Promise<Page<LicenseKeyRow>> {
  requireRole(ctx, 'auditor')
  const rows = await ctx.db
    .select()
    .from(licenseKeys)
    .where(and(within(licenseKeys, query), keyHasStatus(query.status, ctx.clock.now())))
    .orderBy(desc(licenseKeys.id))
    .limit(query.limit + 1)
  return pageOf(rows, query.limit, (row) => [row.id])
}

/** Newest first. */
export async function listStaticJwts(ctx: Ctx, query: CredentialQuery): Promise<Page<StaticJwtRow>> {
  requireRole(ctx, 'auditor')
  const rows = await ctx.db
    .select()
    .from(staticJwts)
    .where(and(within(staticJwts, query), hasStatus(staticJwts, query.status, ctx.clock.now())))
    .orderBy(desc(staticJwts.id))
    .limit(query.limit + 1)
  return pageOf(rows, query.limit, (row) => [row.id])
}

/** @throws Refusal `not_found` */
export async function getApiKey(ctx: Ctx, id: string): Promise<ApiKeyRow> {
  requireRole(ctx, 'auditor')
  const [row] = await ctx.db
    .select()
    .from(apiKeys)
    .where(eq(apiKeys.id, uuidOf('key', id, 'API key')))
  return row ?? notFound('API key')
}

/** @throws Refusal `not_found` */
export async function getLicenseKey(ctx: Ctx, id: string): Promise<LicenseKeyRow> {
  requireRole(ctx, 'auditor')
  const uuid = uuidOf('lk', id, 'license key')
  const [row] = await ctx.db.select().from(licenseKeys).where(eq(licenseKeys.id, uuid))
  return row ?? notFound('license key')
}

/** @throws Refusal `not_found` */
export async function getStaticJwt(ctx: Ctx, id: string): Promise<StaticJwtRow> {
  requireRole(ctx, 'auditor')
  const uuid = uuidOf('sjw', id, 'license JWT')
  const [row] = await ctx.db.select().from(staticJwts).where(eq(staticJwts.id, uuid))
  return row ?? notFound('license JWT')
}

type Whose = Pick<CredentialQuery, 'after' | 'license' | 'customer'>

function within(table: { id: AnyPgColumn; licenseId: AnyPgColumn }, { after, license, customer }: Whose) {
  return and(
    after === undefined ? undefined : lt(table.id, decodeCursor(after, UUID_PART)[0]),
    license === undefined ? undefined : eq(table.licenseId, uuidOf('lic', license, 'license')),
    customer === undefined ? undefined : isLicenseOf(table.licenseId, uuidOf('cus', customer, 'customer')),
  )
}

const isLicenseOf = (licenseId: AnyPgColumn, customerId: string): SQL => sql`${licenseId} in (
  select l.id from licenses l where l.customer_id = ${customerId}::uuid)`

/** As presentApiKey and presentStaticJwt say it. */
function hasStatus(
  table: { revokedAt: AnyPgColumn; expiresAt: AnyPgColumn },
  status: CredentialQuery['status'],
  now: Date,
): SQL | undefined {
  switch (status) {
    case undefined:
      return undefined
    case 'revoked':
      return isNotNull(table.revokedAt)
    case 'expired':
      return and(isNull(table.revokedAt), lte(table.expiresAt, now))
    case 'active':
      return and(isNull(table.revokedAt), or(isNull(table.expiresAt), gt(table.expiresAt, now)))
  }
}

/** As presentLicenseKey says it. */
function keyHasStatus(status: LicenseKeyQuery['status'], now: Date): SQL | undefined {
  const { revokedAt, retiredAt, offline, expiresAt } = licenseKeys
  const isOver = sql`(${offline} and coalesce(${lte(expiresAt, now)}, false))`
  switch (status) {
    case undefined:
      return undefined
    case 'revoked':
      return isNotNull(revokedAt)
    case 'retired':
      return and(isNull(revokedAt), isNotNull(retiredAt))
    case 'expired':
      return and(isNull(revokedAt), isNull(retiredAt), isOver)
    case 'active':
      return and(isNull(revokedAt), isNull(retiredAt), not(isOver))
  }
}
