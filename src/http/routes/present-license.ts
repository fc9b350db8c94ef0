// Licenses as the admin API shows them.
import type { LicenseAnswer } from '../../contract/admin-licenses.schema.ts'
import type { LicenseView } from '../../domain/licenses/license-view.ts'
import { standingOf } from '../../domain/rights/license-standing.ts'
import { effectiveRights } from '../../license/limits.ts'
import { publicId } from '../../platform/ids.ts'
import { addDays, rfc3339 } from '../../platform/time.ts'

/** `status`, `in_grace` and `grace_ends_at` are of the moment `now`. */
export function presentLicense(license: LicenseView, now: Date): LicenseAnswer {
  const { expiresAt, tier } = license
  const graceDays = license.graceDays ?? tier.graceDays
  const standing = standingOf({ status: license.status, expiresAt, graceDays }, 0, now)
  return {
    id: publicId('lic', license.id),
    product: license.productCode,
    tier: tier.code,
    customer_id: publicId('cus', license.customerId),
    customer_name: license.customerName,
    company: license.company,
    status: standing.inForce ? 'active' : standing.status,
    status_reason: license.statusReason,
    status_changed_at: rfc3339(license.statusChangedAt),
    issued_at: rfc3339(license.issuedAt),
    expires_at: expiresAt === null ? null : rfc3339(expiresAt),
    in_grace: standing.inForce && standing.inGrace,
    grace_ends_at: expiresAt === null ? null : rfc3339(addDays(expiresAt, graceDays)),
    grace_days: license.graceDays,
    features_added: license.featuresAdded,
    features_removed: license.featuresRemoved,
    limits: license.limits,
    seat_limit: license.seatLimit,
    seats_in_use: license.seatsInUse,
    seats_allotted: license.seatsAllotted,
    effective: {
      ...effectiveRights(tier, license),
      grace_days: graceDays,
      seat_limit: license.seatLimit ?? tier.seatLimit,
    },
    tenant_id: license.tenantId,
    label: license.label,
    is_trial: license.isTrial,
    fingerprint: license.fingerprint,
    metadata: license.metadata,
    version: license.version,
    created_at: rfc3339(license.createdAt),
    updated_at: rfc3339(license.updatedAt),
  }
}
