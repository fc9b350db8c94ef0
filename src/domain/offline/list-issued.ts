// Reads what was issued under a license for sites without a network. None of it holds what was handed out.
import { and, desc, eq, lt } from 'drizzle-orm'
import type { IssuedOfflineQuery } from '../../contract/admin-offline.schema.ts'
import { envelopes, licenses, offlineActivations } from '../../db/schema/index.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { decodeCursor, type Page, pageOf, UUID_PART } from '../kernel/paging.ts'
import type { OfflineActivationRow } from './activate-offline.ts'
import type { EnvelopeRow } from './issue-envelope.ts'

/** Newest first. @throws Refusal `not_found` for a license that is not there. */
export async function listEnvelopes(
  ctx: Ctx,
  license_id: string,
  { limit, after }: IssuedOfflineQuery,
): Promise<Page<EnvelopeRow>> {
  requireRole(ctx, 'auditor')
  const licenseId = await licenseThere(ctx, license_id)
  const older = after === undefined ? undefined : lt(envelopes.id, decodeCursor(after, UUID_PART)[0])
  const rows = await ctx.db
    .select()
    .from(envelopes)
    .where(and(eq(envelopes.licenseId, licenseId), older))
    .orderBy(desc(envelopes.id))
    .limit(limit + 1)
  return pageOf(rows, limit, (row) => [row.id])
}

/** @throws Refusal `not_found`, for an envelope of another license too. */
export async function getEnvelope(ctx: Ctx, license_id: string, id: string): Promise<EnvelopeRow> {
  requireRole(ctx, 'auditor')
  const licenseId = uuidOf('lic', license_id, 'license')
  const [row] = await ctx.db
    .select()
    .from(envelopes)
    .where(and(eq(envelopes.id, uuidOf('env', id, 'envelope')), eq(envelopes.licenseId, licenseId)))
  return row ?? notFound('envelope')
}

/** Newest first. @throws Refusal `not_found` for a license that is not there. */
export async function listOfflineActivations(
  ctx: Ctx,
  license_id: string,
  { limit, after }: IssuedOfflineQuery,
): Promise<Page<OfflineActivationRow>> {
  requireRole(ctx, 'auditor')
  const licenseId = await licenseThere(ctx, license_id)
  const older = after === undefined ? undefined : lt(offlineActivations.id, decodeCursor(after, UUID_PART)[0])
  const rows = await ctx.db
    .select()
    .from(offlineActivations)
    .where(and(eq(offlineActivations.licenseId, licenseId), older))
    .orderBy(desc(offlineActivations.id))
    .limit(limit + 1)
  return pageOf(rows, limit, (row) => [row.id])
}

/** @throws Refusal `not_found`, for one of another license too. */
export async function getOfflineActivation(
  ctx: Ctx,
  license_id: string,
  id: string,
): Promise<OfflineActivationRow> {
  requireRole(ctx, 'auditor')
  const licenseId = uuidOf('lic', license_id, 'license')
  const own = eq(offlineActivations.id, uuidOf('ofa', id, 'offline activation'))
  const [row] = await ctx.db
    .select()
    .from(offlineActivations)
    .where(and(own, eq(offlineActivations.licenseId, licenseId)))
  return row ?? notFound('offline activation')
}

async function licenseThere(ctx: Ctx, license_id: string): Promise<string> {
  const id = uuidOf('lic', license_id, 'license')
  const [found] = await ctx.db.select({ id: licenses.id }).from(licenses).where(eq(licenses.id, id))
  return found ? id : notFound('license')
}
