// Everything the server needs to know of a license to grant or to refuse, read in one statement.
import { eq, type SQL, sql } from 'drizzle-orm'
import type { InstanceAuth, LimitsClaim, StoredLicenseStatus } from '../../contract/catalog.ts'
import type { Executor } from '../../db/client.ts'
import { customers, licenses, products, tiers } from '../../db/schema/index.ts'

export interface TierFacts {
  code: string
  rank: number
  features: string[]
  limits: Record<string, number>
  graceDays: number
  seatLimit: number | null
  seatChurn: number | null
}

export interface LicenseFacts {
  id: string
  productId: string
  productCode: string
  instanceAuth: InstanceAuth
  limitsClaim: LimitsClaim
  status: StoredLicenseStatus
  statusReason: string | null
  issuedAt: Date
  expiresAt: Date | null
  /** The license's own, else its tier's. */
  graceDays: number
  featuresAdded: string[]
  featuresRemoved: string[]
  limits: Record<string, number>
  /** The license's own, else its tier's, else null: unlimited (T10). */
  seatLimit: number | null
  tenantId: string | null
  label: string | null
  /** Of the one machine that relays serve; null: of any. */
  fingerprint: string | null
  isTrial: boolean
  tier: TierFacts
  /** The product's tier of lowest rank: what a downgraded or unlicensed instance has (T3). */
  lowestTier: TierFacts
  customerId: string
  customerName: string
  company: string
}

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
