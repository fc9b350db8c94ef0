// The demo license and fresh keys to it. Runs inside the first run's transaction.
import { and, desc, eq, gt, isNull, or, sql } from 'drizzle-orm'
import { apiKeys, licenseKeys, licenses, products } from '../../db/schema/index.ts'
import { createProduct } from '../../domain/catalog/create-product.ts'
import { createTier } from '../../domain/catalog/create-tier.ts'
import { createCustomer } from '../../domain/customers/create-customer.ts'
import type { Ctx } from '../../domain/kernel/context.ts'
import { issueApiKey } from '../../domain/licenses/issue-api-key.ts'
import { issueLicense } from '../../domain/licenses/issue-license.ts'
import { issueLicenseKey } from '../../domain/licenses/issue-license-key.ts'
import { revokeCredential } from '../../domain/licenses/revoke-credential.ts'
import { publicId } from '../../platform/ids.ts'
import type { Credentials } from './credentials-file.ts'
import {
  DEMO_CUSTOMER,
  DEMO_LICENSE,
  DEMO_MARK,
  DEMO_PRODUCT,
  DEMO_TIERS,
  FIRST_RUN_NAME,
} from './demo-catalog.ts'

export type DemoKeys = Pick<Credentials, 'product' | 'license_key' | 'api_key'>

export async function hasDemoProduct({ db }: Ctx): Promise<boolean> {
  const found = await db
    .select({ id: products.id })
    .from(products)
    .where(eq(products.code, DEMO_PRODUCT.code))
  return found.length > 0
}

/** Product with its signing keys, tiers, customer and license. Returns the license's public id. */
export async function makeDemoCatalog(ctx: Ctx): Promise<string> {
  await createProduct(ctx, DEMO_PRODUCT)
  for (const tier of DEMO_TIERS) await createTier(ctx, tier)
  const customer = await createCustomer(ctx, DEMO_CUSTOMER)
  const license = await issueLicense(ctx, { ...DEMO_LICENSE, customer_id: publicId('cus', customer.id) })
  return publicId('lic', license.id)
}

/** Public id of the demo license that is still in force, or null: there is none, or it was ended on purpose. */
export async function findDemoLicense({ db, clock }: Ctx): Promise<string | null> {
  const [found] = await db
    .select({ id: licenses.id })
    .from(licenses)
    .where(
      and(
        eq(licenses.status, 'active'),
        or(isNull(licenses.expiresAt), gt(licenses.expiresAt, clock.now())),
        sql`${licenses.metadata} @> ${JSON.stringify(DEMO_MARK)}::jsonb`,
      ),
    )
    .orderBy(desc(licenses.id))
    .limit(1)
  return found ? publicId('lic', found.id) : null
}

/** New keys to the license; those that an earlier run made, and that nobody has any more, are revoked. */
export async function issueDemoKeys(ctx: Ctx, licenseId: string): Promise<DemoKeys> {
  await revokeEarlier(ctx)
  const order = { license_id: licenseId, name: FIRST_RUN_NAME }
  const licenseKey = await issueLicenseKey(ctx, { ...order, offline: false })
  const apiKey = await issueApiKey(ctx, { ...order, expires_at: null })
  return { product: DEMO_PRODUCT.code, license_key: licenseKey.secret, api_key: apiKey.secret }
}

async function revokeEarlier(ctx: Ctx): Promise<void> {
  for (const [source, table, prefix] of [
    ['license_key', licenseKeys, 'lk'],
    ['api_key', apiKeys, 'key'],
  ] as const) {
    const earlier = await ctx.db
      .select({ id: table.id })
      .from(table)
      .innerJoin(licenses, eq(licenses.id, table.licenseId))
      .where(
        and(
          eq(table.name, FIRST_RUN_NAME),
          isNull(table.revokedAt),
          sql`${licenses.metadata} @> ${JSON.stringify(DEMO_MARK)}::jsonb`,
        ),
      )
    for (const { id } of earlier) {
      await revokeCredential(ctx, source, publicId(prefix, id), { reason: 'credentials.json was lost' })
    }
  }
}
