// Whether a request file belongs to the license that it is brought to, and how long the lease may run (T6).
import type { NewOfflineActivation } from '../../contract/admin-offline.schema.ts'
import { DAY_SECONDS } from '../../platform/time.ts'
import { findLicenseKey } from '../instance-api/proof/find-license-key.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import type { LicenseFacts } from '../rights/license-facts.ts'

/** Seconds of the lease; the license's own end bounds them further. @throws Refusal `invalid_request` */
export function leaseOfDays(days: number | undefined, longest: number): number {
  if (days === undefined) return longest
  const life = days * DAY_SECONDS
  if (life <= longest) return life
  const most = Math.floor(longest / DAY_SECONDS)
  throw new Refusal('invalid_request', `An offline lease runs for at most ${most} days here.`, {
    facts: { errors: [{ pointer: '/days', message: `is more than ${most}` }], limit: most, current: days },
    fix: 'Name fewer days, or leave days out. The setting LEASEHOLD_OFFLINE_LEASE is the longest.',
  })
}

/** @throws Refusal `product_mismatch`, `license_mismatch`, `license_key_revoked` and what a license key is refused with */
export async function refuseForeign(
  ctx: Ctx,
  license: LicenseFacts,
  { product, license_key: text }: NewOfflineActivation,
): Promise<void> {
  if (product !== license.productCode) {
    throw new Refusal(
      'product_mismatch',
      `The request file is of ${product}, the license of ${license.productCode}.`,
      {
        facts: { product, license_product: license.productCode },
        fix: `Bring the request file to a license of ${product}.`,
      },
    )
  }
  if (text === undefined) return
  const key = await findLicenseKey(ctx, product, text)
  if (key.license.id !== license.id) {
    throw new Refusal('license_mismatch', 'The license key in the request file is of another license.', {
      fix: 'Bring the request file to the license of its key, or remove license_key from it.',
    })
  }
  if (key.revokedAt !== null) {
    throw new Refusal('license_key_revoked', 'The license key in the request file was revoked.', {
      fix: 'Give the customer the key that replaces it, or remove license_key from the file.',
    })
  }
}
