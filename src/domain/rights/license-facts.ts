// Everything the server needs to know of a license to grant or to refuse, read in one statement.
import { eq, type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../db/client.ts'
import { customers, licenses, products, tiers } from '../../db/schema/index.ts'
import type { LicenseFacts, TierFacts } from '../kernel/reference.ts'

export type { LicenseFacts, TierFacts }

const lowest = sql<TierFacts>`(
  select jsonb_build_object('code', t.code, 'rank', t.rank, 'features', to_jsonb(t.features), 'limits', t.limits,
    'graceDays', t.grace_days, 'seatLimit', t.seat_limit, 'seatChurn', t.seat_churn)
  from tiers t where t.product_id = ${licenses.productId} order by t.rank limit 1)`

export const licenseColumns = {
  id: licenses.id,
  productId: licenses.productId,
  productCode: products.code,
  instanceAuth: products.instanceAuth,
  limitsClaim: products.limitsClaim,
  status: licenses.status,
  statusReason: licenses.statusReason,
  issuedAt: licenses.issuedAt,
  expiresAt: licenses.expiresAt,
  graceDays: sql<number>`coalesce(${licenses.graceDays}, ${tiers.graceDays})`,
  featuresAdded: licenses.featuresAdded,
  featuresRemoved: licenses.featuresRemoved,
  limits: licenses.limits,
  seatLimit: sql<number | null>`coalesce(${licenses.seatLimit}, ${tiers.seatLimit})`,
  tenantId: licenses.tenantId,
  label: licenses.label,
  fingerprint: licenses.fingerprint,
  isTrial: licenses.isTrial,
  tier: {
    code: tiers.code,
    rank: tiers.rank,
    features: tiers.features,
    limits: tiers.limits,
    graceDays: tiers.graceDays,
    seatLimit: tiers.seatLimit,
    seatChurn: tiers.seatChurn,
  },
  lowestTier: lowest,
  customerId: licenses.customerId,
  customerName: customers.name,
  company: customers.company,
}

/** The license with this id, or null. */
export async function findLicense(db: Executor, id: string): Promise<LicenseFacts | null> {
  return licenseWhere(db, eq(licenses.id, id))
}

async function licenseWhere(db: Executor, condition: SQL): Promise<LicenseFacts | null> {
  const [found] = await db
    .select(licenseColumns)
    .from(licenses)
    .innerJoin(products, eq(products.id, licenses.productId))
    .innerJoin(tiers, eq(tiers.id, licenses.tierId))
    .innerJoin(customers, eq(customers.id, licenses.customerId))
    .where(condition)
  return found ?? null
}
