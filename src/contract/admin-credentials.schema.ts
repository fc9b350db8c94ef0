// What proves a license, in the admin API: API keys, license keys and static license JWTs in zod.
import { z } from 'zod'
import { idOf, instant, pathId, reason, shortText } from './admin-fields.schema.ts'
import { pageQuery } from './paging.schema.ts'

export const CREDENTIAL_STATUSES = ['active', 'expired', 'revoked'] as const
export const LICENSE_KEY_STATUSES = ['active', 'retired', 'expired', 'revoked'] as const

/** Also where a request has no body at all. */
export const OVERLAP_HOURS = 24
const MOST_OVERLAP_HOURS = 8760
const LONGEST_JWT_LIFE = 315_360_000
const name = shortText(200).meta({ description: 'What it is for.', example: 'build server' })

export const newApiKey = z
  .strictObject({
    license_id: idOf('lic'),
    name,
    expires_at: instant.nullable().default(null).meta({ description: 'RFC 3339; null is never.' }),
  })
  .meta({ id: 'NewApiKey' })

export const newLicenseKey = z
  .strictObject({
    license_id: idOf('lic'),
    name,
    offline: z.boolean().default(false).meta({
      description: 'True: a lease of its own until the end of the license, which cannot be called back.',
    }),
  })
  .meta({ id: 'NewLicenseKey' })

export const newStaticJwt = z
  .strictObject({
    life: z.int().min(60).max(LONGEST_JWT_LIFE).meta({
      description: "Seconds; ends at the latest with the license's grace.",
      example: 2_592_000,
    }),
    refreshable: z.boolean().meta({ description: 'Whether it carries a refresh_url.' }),
    instance_id: z.string().min(1).max(255).optional().meta({
      description: 'The one instance that may use it; else it binds to the first that refreshes it.',
    }),
    name: name.default('license JWT'),
  })
  .meta({ id: 'NewStaticJwt' })

const newName = name.optional().meta({ description: "The old key's, where it is left out." })

export const apiKeyRotation = z
  .strictObject({
    overlap_hours: z.int().min(0).max(MOST_OVERLAP_HOURS).default(OVERLAP_HOURS).meta({
      description: 'How long the old key works beside the new one; 0 ends it at once.',
    }),
    name: newName,
    expires_at: instant.nullable().optional().meta({
      description: "End of the new key; null is never, and the old key's where it is left out.",
    }),
    reason: reason.optional(),
  })
  .meta({ id: 'ApiKeyRotation', example: { overlap_hours: 24, reason: 'yearly rotation' } })

export const licenseKeyRotation = z
  .strictObject({ name: newName, reason: reason.optional() })
  .meta({ id: 'LicenseKeyRotation', example: { reason: 'printed in a support ticket' } })

export const revocation = z
  .strictObject({
    end_sessions: z.boolean().default(false).meta({
      description: 'True: sessions that began with it need a new proof of license at their next refresh.',
    }),
    reason: reason.optional(),
  })
  .meta({ id: 'Revocation' })

export const staticJwtRevocation = z
  .strictObject({ reason: reason.optional() })
  .meta({ id: 'StaticJwtRevocation' })

const shared = {
  license_id: idOf('lic'),
  name: z.string(),
  status: z.enum(CREDENTIAL_STATUSES),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  end_sessions: z.boolean(),
  created_at: z.string(),
}
const prefix = z.string().meta({ description: 'Enough to recognise it by, and not to use it.' })

const replacedBy = (idPrefix: string) =>
  z
    .string()
    .nullable()
    .meta({ description: `${idPrefix}_… of the key that replaced it.` })

const apiKeyMembers = { id: idOf('key'), ...shared, prefix, replaced_by: replacedBy('key') }
const licenseKeyMembers = {
  id: idOf('lk'),
  ...shared,
  status: z.enum(LICENSE_KEY_STATUSES).meta({
    description: 'A retired key keeps the seats that it holds and takes no new one.',
  }),
  prefix,
  offline: z.boolean(),
  retired_at: z.string().nullable(),
  replaced_by: replacedBy('lk'),
}
const replaces = (idPrefix: string) => z.string().meta({ description: `${idPrefix}_… of the old key.` })

export const apiKeyAnswer = z.object(apiKeyMembers).meta({ id: 'ApiKey' })
export const issuedApiKey = z
  .object({ ...apiKeyMembers, api_key: z.string().meta({ description: 'Shown once.', example: 'sk-…' }) })
  .meta({ id: 'IssuedApiKey' })
export const rotatedApiKey = issuedApiKey.extend({ replaces: replaces('key') }).meta({
  id: 'RotatedApiKey',
  example: {
    id: 'key_019b76daa80070008000000000000002',
    license_id: 'lic_019b76daa80070008000000000000001',
    name: 'build server',
    status: 'active',
    expires_at: null,
    revoked_at: null,
    end_sessions: false,
    created_at: '2026-11-22T09:30:00Z',
    prefix: 'sk-4fZk2Qwe',
    replaced_by: null,
    api_key: 'sk-…',
    replaces: 'key_019b76daa80070008000000000000001',
  },
})

export const licenseKeyAnswer = z.object(licenseKeyMembers).meta({ id: 'LicenseKey' })
export const issuedLicenseKey = z
  .object({ ...licenseKeyMembers, license_key: z.string().meta({ description: 'Shown once.' }) })
  .meta({ id: 'IssuedLicenseKey' })
export const rotatedLicenseKey = issuedLicenseKey.extend({ replaces: replaces('lk') }).meta({
  id: 'RotatedLicenseKey',
  example: {
    id: 'lk_019b76daa80070008000000000000002',
    license_id: 'lic_019b76daa80070008000000000000001',
    name: 'main',
    status: 'active',
    expires_at: '2027-11-22T00:00:00Z',
    revoked_at: null,
    end_sessions: false,
    created_at: '2026-11-22T09:30:00Z',
    prefix: 'b0mQw3rT5yUi',
    offline: false,
    retired_at: null,
    replaced_by: null,
    license_key: '…',
    replaces: 'lk_019b76daa80070008000000000000001',
  },
})

export const staticJwtAnswer = z
  .object({
    id: idOf('sjw'),
    ...shared,
    expires_at: z.string(),
    refreshable: z.boolean(),
    instance: z.string().nullable().meta({ description: 'ins_… of the instance that it is bound to.' }),
  })
  .meta({ id: 'StaticJwt' })
export const issuedStaticJwt = z
  .object({ id: idOf('sjw'), jwt: z.string().meta({ description: 'Shown once.' }), expires_at: z.string() })
  .meta({ id: 'IssuedStaticJwt' })

const ofWhom = {
  ...pageQuery,
  license: idOf('lic').optional(),
  customer: idOf('cus').optional().meta({ description: 'Of all licenses of this customer.' }),
}
export const credentialQuery = z.strictObject({ ...ofWhom, status: z.enum(CREDENTIAL_STATUSES).optional() })
export const licenseKeyQuery = z.strictObject({ ...ofWhom, status: z.enum(LICENSE_KEY_STATUSES).optional() })
export const credentialPath = (idPrefix: string) => z.object({ id: pathId(idPrefix) })

export type NewApiKey = z.infer<typeof newApiKey>
export type NewLicenseKey = z.infer<typeof newLicenseKey>
export type NewStaticJwt = z.infer<typeof newStaticJwt>
export type ApiKeyRotation = z.infer<typeof apiKeyRotation>
export type LicenseKeyRotation = z.infer<typeof licenseKeyRotation>
export type CredentialQuery = z.infer<typeof credentialQuery>
export type LicenseKeyQuery = z.infer<typeof licenseKeyQuery>
export type ApiKeyAnswer = z.infer<typeof apiKeyAnswer>
export type LicenseKeyAnswer = z.infer<typeof licenseKeyAnswer>
export type StaticJwtAnswer = z.infer<typeof staticJwtAnswer>
export type IssuedStaticJwt = z.infer<typeof issuedStaticJwt>
