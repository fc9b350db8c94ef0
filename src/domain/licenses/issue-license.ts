// Issues a license to a customer. Its keys are issued apart.
import type { NewLicense } from '../../contract/admin-licenses.schema.ts'
import { violates } from '../../db/errors.ts'
import { licenses } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { parseRfc3339 } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { productByCode, tierByCode, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { type LicenseView, viewLicense } from './license-view.ts'

/** @throws Refusal `product_unknown`, or `not_found` for a tier or customer that does not exist. */
export async function issueLicense(ctx: Ctx, input: NewLicense): Promise<LicenseView> {
  requireRole(ctx, 'operator')
  const now = ctx.clock.now()
  const customerId = uuidOf('cus', input.customer_id, 'customer')
  const work = transaction(ctx.db, async (tx) => {
    const product = await productByCode(tx, input.product)
    const tier = await tierByCode(tx, product, input.tier)
    const id = uuidv7(now, ctx.random)
    await tx.insert(licenses).values({
      id,
      productId: product.id,
      tierId: tier.id,
      customerId,
      status: 'active',
      statusChangedAt: now,
      issuedAt: now,
      expiresAt: input.expires_at === null ? null : parseRfc3339(input.expires_at),
      graceDays: input.grace_days,
      featuresAdded: input.features_added,
      featuresRemoved: input.features_removed,
      limits: input.limits,
      seatLimit: input.seat_limit,
      tenantId: input.tenant_id,
      label: input.label,
      isTrial: input.is_trial,
      fingerprint: input.fingerprint,
      metadata: input.metadata,
      version: 1,
      createdAt: now,
      updatedAt: now,
    })
    const issued = await viewLicense(tx, id, now)
    const { metadata: _, ...details } = input
    await recordChange(tx, ctx, {
      action: 'license.issue',
      subject: publicId('lic', id),
      event: 'license.changed',
      details,
      scope: { productId: product.id, licenseId: id },
    })
    return issued
  })
  return work.catch((error: unknown) => {
    if (!violates(error, 'licenses_customer_id_customers_id_fk')) throw error
    throw new Refusal('not_found', 'There is no such customer.', {
      facts: { customer_id: input.customer_id },
      fix: 'GET /api/v1/admin/customers lists them.',
    })
  })
}
