// What proves a license, in the admin API: API keys, license keys and static license JWTs in zod.
import { z } from 'zod'
import { idOf, instant, pathId, reason, shortText } from './admin-fields.schema.ts'
import { pageQuery } from './paging.schema.ts'

export const CREDENTIAL_STATUSES = ['active', 'expired', 'revoked'] as const

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

const apiKeyMembers = { id: idOf('key'), ...shared, prefix }
const licenseKeyMembers = { id: idOf('lk'), ...shared, prefix, offline: z.boolean() }

export const apiKeyAnswer = z.object(apiKeyMembers).meta({ id: 'ApiKey' })
export const issuedApiKey = z
  .object({ ...apiKeyMembers, api_key: z.string().meta({ description: 'Shown once.', example: 'sk-…' }) })
  .meta({ id: 'IssuedApiKey' })

export const licenseKeyAnswer = z.object(licenseKeyMembers).meta({ id: 'LicenseKey' })
export const issuedLicenseKey = z
  .object({ ...licenseKeyMembers, license_key: z.string().meta({ description: 'Shown once.' }) })
  .meta({ id: 'IssuedLicenseKey' })

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

export const credentialQuery = z.strictObject({ ...pageQuery, license: idOf('lic').optional() })
export const credentialPath = (idPrefix: string) => z.object({ id: pathId(idPrefix) })

export type NewApiKey = z.infer<typeof newApiKey>
export type NewLicenseKey = z.infer<typeof newLicenseKey>
export type NewStaticJwt = z.infer<typeof newStaticJwt>
export type CredentialQuery = z.infer<typeof credentialQuery>
export type ApiKeyAnswer = z.infer<typeof apiKeyAnswer>
export type LicenseKeyAnswer = z.infer<typeof licenseKeyAnswer>
export type StaticJwtAnswer = z.infer<typeof staticJwtAnswer>
export type IssuedStaticJwt = z.infer<typeof issuedStaticJwt>
