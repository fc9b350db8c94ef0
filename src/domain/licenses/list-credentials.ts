// Reads the credentials of licenses for an admin: pages of them, or one. Hashes stay inside.
import { and, desc, eq, lt } from 'drizzle-orm'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import type { CredentialQuery } from '../../contract/admin-credentials.schema.ts'
import { apiKeys, licenseKeys, staticJwts } from '../../db/schema/index.ts'
import { notFound, uuidOf } from '../catalog/find-catalog.ts'
import { type Ctx, requireRole } from '../context.ts'
import { decodeCursor, type Page, pageOf, UUID_PART } from '../paging.ts'
import type { ApiKeyRow } from './issue-api-key.ts'
import type { LicenseKeyRow } from './issue-license-key.ts'

export type StaticJwtRow = typeof staticJwts.$inferSelect

/** Newest first. */
export async function listApiKeys(ctx: Ctx, query: CredentialQuery): Promise<Page<ApiKeyRow>> {
  requireRole(ctx, 'auditor')
  const rows = await ctx.db
    .select()
    .from(apiKeys)
    .where(within(apiKeys, query))
    .orderBy(desc(apiKeys.id))
    .limit(query.limit + 1)
  return pageOf(rows, query.limit, (row) => [row.id])
}

/** Newest first. */
export async function listLicenseKeys(ctx: Ctx, query: CredentialQuery): Promise<Page<LicenseKeyRow>> {
  requireRole(ctx, 'auditor')
  const rows = await ctx.db
    .select()
    .from(licenseKeys)
    .where(within(licenseKeys, query))
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
    .where(within(staticJwts, query))
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

function within(table: { id: AnyPgColumn; licenseId: AnyPgColumn }, { after, license }: CredentialQuery) {
  return and(
    after === undefined ? undefined : lt(table.id, decodeCursor(after, UUID_PART)[0]),
    license === undefined ? undefined : eq(table.licenseId, uuidOf('lic', license, 'license')),
  )
}
