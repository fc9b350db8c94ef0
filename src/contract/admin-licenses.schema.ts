// Licenses of the admin API in zod.
import { z } from 'zod'
import {
  changesSomething,
  expectedVersion,
  idOf,
  instant,
  metadata,
  pathId,
  queryText,
  reason,
  shortText,
} from './admin-fields.schema.ts'
import { pageQuery } from './paging.schema.ts'
import { catalogCode, featureNames, graceDays, limitValues, seatLimit } from './rights.schema.ts'

export const LICENSE_STATUSES = ['active', 'suspended', 'revoked', 'expired'] as const

const MOST_DAYS = 3650
const expiresAt = instant.nullable().meta({ description: 'RFC 3339; null is perpetual.' })
const ownGraceDays = graceDays.nullable().meta({ description: "Null is the tier's." })
const ownSeatLimit = seatLimit.meta({ description: "Null is the tier's, and unlimited where it has none." })

/** What an admin says of a license, and may change later. */
const terms = {
  tier: catalogCode.meta({ example: 'pro' }),
  expires_at: expiresAt,
  grace_days: ownGraceDays,
  features_added: featureNames.meta({ description: "Over the tier's." }),
  features_removed: featureNames.meta({ description: "From the tier's; wins over features_added." }),
  limits: limitValues.meta({ description: "Over the tier's, by name; -1 is unlimited." }),
  seat_limit: ownSeatLimit,
  tenant_id: shortText(255).nullable(),
  label: shortText(200).nullable(),
  is_trial: z.boolean(),
  fingerprint: shortText(256).nullable(),
  metadata,
}

export const newLicense = z
  .strictObject({
    product: catalogCode.meta({ example: 'keldris' }),
    customer_id: idOf('cus'),
    ...terms,
    expires_at: terms.expires_at.default(null),
    grace_days: terms.grace_days.default(null),
    features_added: terms.features_added.default([]),
    features_removed: terms.features_removed.default([]),
    limits: terms.limits.default({}),
    seat_limit: terms.seat_limit.default(null),
    tenant_id: terms.tenant_id.default(null),
    label: terms.label.default(null),
    is_trial: terms.is_trial.default(false),
    fingerprint: terms.fingerprint.default(null),
    metadata: terms.metadata.default({}),
  })
  .meta({ id: 'NewLicense' })

export const licenseChange = z
  .strictObject({ ...terms, version: expectedVersion, reason })
  .partial()
  .refine((change) => changesSomething(change, ['version', 'reason']), { error: 'holds no member to change' })
  .meta({ id: 'LicenseChange', description: 'Members given replace the whole value.' })

export const statusChange = z.strictObject({ reason: reason.optional() }).meta({ id: 'StatusChange' })
export const reinstatement = z.strictObject({ reason: reason.optional() }).meta({ id: 'Reinstatement' })

export const renewal = z
  .strictObject({
    expires_at: instant.meta({ description: 'The new end; later than the one it has.' }),
    extend_days: z
      .int()
      .min(1)
      .max(MOST_DAYS)
      .meta({ description: 'Counted from the end it has, or from now where that has passed.', example: 365 }),
    version: expectedVersion,
    reason,
  })
  .partial()
  .refine((given) => (given.expires_at === undefined) !== (given.extend_days === undefined), {
    error: 'needs exactly one of expires_at and extend_days',
  })
  .meta({ id: 'Renewal' })

export const licenseAnswer = z
  .object({
    id: idOf('lic'),
    product: z.string(),
    tier: z.string(),
    customer_id: idOf('cus'),
    customer_name: z.string(),
    company: z.string(),
    status: z.enum(LICENSE_STATUSES).meta({
      description: 'Expired is derived from time: past the end and its grace.',
    }),
    status_reason: z.string().nullable(),
    status_changed_at: z.string(),
    issued_at: z.string(),
    expires_at: z.string().nullable().meta({ description: 'Null is perpetual.' }),
    in_grace: z.boolean(),
    grace_ends_at: z.string().nullable(),
    grace_days: ownGraceDays,
    features_added: z.array(z.string()),
    features_removed: z.array(z.string()),
    limits: z.record(z.string(), z.int()),
    seat_limit: ownSeatLimit,
    seats_in_use: z.int(),
    seats_allotted: z.int().meta({ description: 'Seats that relays may give out by themselves.' }),
    effective: z
      .object({
        features: z.array(z.string()),
        limits: z.record(z.string(), z.int()),
        grace_days: z.int(),
        seat_limit: z.int().nullable(),
      })
      .meta({ description: 'Tier and license together.' }),
    tenant_id: z.string().nullable(),
    label: z.string().nullable(),
    is_trial: z.boolean(),
    fingerprint: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
    version: z.int().meta({ description: 'Rises with each change.' }),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({ id: 'License' })

export const licenseQuery = z.strictObject({
  ...pageQuery,
  customer: idOf('cus').optional(),
  product: catalogCode.optional(),
  tier: catalogCode.optional(),
  status: z
    .enum([...LICENSE_STATUSES, 'in_grace'])
    .optional()
    .meta({
      description: '`in_grace`: those of the active ones that are past their end.',
    }),
  text: queryText(255).optional().meta({
    description: "Part of the label, the tenant id, or the customer's name, company or e-mail.",
  }),
  expiring_after: instant.optional().meta({ description: 'Licenses whose own end is not before it.' }),
  expiring_before: instant.optional().meta({ description: 'Licenses whose own end comes before it.' }),
})

export const licensePath = z.object({ id: pathId('lic') })

export type NewLicense = z.infer<typeof newLicense>
export type LicenseChange = z.infer<typeof licenseChange>
export type Renewal = z.infer<typeof renewal>
export type LicenseQuery = z.infer<typeof licenseQuery>
export type LicenseAnswer = z.infer<typeof licenseAnswer>
