// Changes the terms of a license: tier, dates, features, limits, seats. Its status has verbs of its own.
import { and, eq, getTableColumns, or, type SQL, sql } from 'drizzle-orm'
import type { PgUpdateSetSource } from 'drizzle-orm/pg-core'
import type { LicenseChange } from '../../contract/admin-licenses.schema.ts'
import type { Executor } from '../../db/client.ts'
import { licenses, products, tiers } from '../../db/schema/index.ts'
import { parseRfc3339 } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import type { LicenseView } from './license-view.ts'
import { lowersTerms } from './lowers-terms.ts'
import { refuseVersion, updateLicense } from './update-license.ts'

type Terms = Partial<Omit<typeof licenses.$inferInsert, 'id'>>

/**
 * Members that are absent stay as they are; lowering the seats evicts nobody (T10). What lowers the terms counts against
 * the action budget. With `version`, only the license
 * as it was at that version is changed. @throws Refusal `not_found`, `conflict`, `action_budget_exceeded`
 */
export async function changeLicense(ctx: Ctx, id: string, change: LicenseChange): Promise<LicenseView> {
  requireRole(ctx, 'operator')
  const { version, reason, metadata: _, ...details } = change
  const terms = await termsOf(ctx.db, id, change)
  return updateLicense(ctx, id, {
    action: 'license.change',
    set: terms as PgUpdateSetSource<typeof licenses>,
    when: and(differs(terms), version === undefined ? undefined : eq(licenses.version, version)),
    reason,
    details: { ...details, ...(change.metadata === undefined ? {} : { metadata: 'replaced' }) },
    takes: lowersTerms,
    refuse: (license) => refuseVersion(license, version),
  })
}

async function termsOf(db: Executor, id: string, change: LicenseChange): Promise<Terms> {
  const { expires_at: end } = change
  const terms = {
    tierId: change.tier === undefined ? undefined : await tierOfLicense(db, id, change.tier),
    expiresAt: typeof end === 'string' ? parseRfc3339(end) : end,
    graceDays: change.grace_days,
    featuresAdded: change.features_added,
    featuresRemoved: change.features_removed,
    limits: change.limits,
    seatLimit: change.seat_limit,
    tenantId: change.tenant_id,
    label: change.label,
    isTrial: change.is_trial,
    fingerprint: change.fingerprint,
    metadata: change.metadata,
  }
  return Object.fromEntries(Object.entries(terms).filter(([, value]) => value !== undefined))
}

/** True for a row in which at least one of the terms has another value. */
function differs(terms: Terms): SQL | undefined {
  const columns = getTableColumns(licenses)
  const names = Object.keys(terms) as (keyof Terms)[]
  return or(
    ...names.map((name) => sql`${columns[name]} is distinct from ${sql.param(terms[name], columns[name])}`),
  )
}

/** The product of a license never changes, so its tier can be looked up before the update. */
async function tierOfLicense(db: Executor, id: string, code: string): Promise<string> {
  const [found] = await db
    .select({ product: products.code, tierId: tiers.id })
    .from(licenses)
    .innerJoin(products, eq(products.id, licenses.productId))
    .leftJoin(tiers, and(eq(tiers.productId, licenses.productId), eq(tiers.code, code)))
    .where(eq(licenses.id, uuidOf('lic', id, 'license')))
  if (!found) return notFound('license')
  if (found.tierId !== null) return found.tierId
  throw new Refusal('not_found', `The product ${found.product} has no tier ${code}.`, {
    facts: { product: found.product, tier: code },
    fix: `GET /api/v1/admin/tiers?product=${found.product} lists them.`,
  })
}
