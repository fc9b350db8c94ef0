// The signed objects in zod: shape alone, for documents and tests. Verification belongs to license/, whose strict
// readers accept and refuse the same payloads.
import { z } from 'zod'
import type {
  ActivationClaims,
  DirectiveClaims,
  EntitlementTokenPayload,
  KeySetClaims,
  KeySetKey,
  LicenseClaims,
  LicenseKeyPayload,
} from './claims.ts'

const LAST_SECOND = 253_402_300_799

const textUpTo = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((value) => !value.includes('\0') && value.isWellFormed(), {
      error: 'U+0000 and lone surrogates are invalid',
    })
const text = textUpTo(255)
const longText = textUpTo(2048)
const count = z.int().nonnegative()
const seconds = count.max(LAST_SECOND).meta({ description: 'Unix seconds.' })
const limitName = z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/)
const limits = z.record(limitName, z.int().min(-1)).meta({ description: '−1 is unlimited.' })
const quotas = z.record(limitName, count).meta({ description: 'Unlimited is left out.' })
/** A member that must not be there. */
const forbidden = z.never().exactOptional()

const licenseMembers = {
  iss: longText,
  aud: text,
  sub: text,
  jti: text,
  iat: seconds,
  exp: seconds,
  license_id: text,
  tier: text,
  features: z.array(text),
  grace_days: count.max(36_500),
  license_exp: seconds.exactOptional(),
  in_grace: z.boolean().exactOptional(),
  instance_id: text.exactOptional(),
  act: text.exactOptional(),
  org_name: longText.exactOptional(),
  trial: z.boolean().exactOptional(),
  refresh_url: longText.exactOptional(),
  tenant_id: text.exactOptional(),
  cred: text.exactOptional(),
  nonce: forbidden,
  status: forbidden,
  action: forbidden,
}

export const licenseClaims = z
  .union([
    z.object({ ...licenseMembers, limits, quotas: forbidden }),
    z.object({ ...licenseMembers, quotas, limits: forbidden }),
  ])
  .refine(({ iat, exp }) => iat <= exp, { path: ['exp'] })
  .meta({ id: 'LicenseClaims' }) satisfies z.ZodType<LicenseClaims>

export const directiveClaims = z
  .object({
    iss: longText,
    aud: text,
    sub: text,
    license_id: text.nullable(),
    status: z.enum(['active', 'in_grace', 'unlicensed', 'limit_reached', 'suspended', 'revoked', 'expired']),
    action: z.enum(['none', 'downgrade', 'kill']),
    seq: count,
    keys: count,
    nonce: z.string().regex(/^[A-Za-z0-9_-]{16,64}$/),
    iat: seconds,
    exp: seconds,
    reason: z.union([z.literal(''), text]),
    tier: forbidden,
    features: forbidden,
    limits: forbidden,
    quotas: forbidden,
  })
  .refine(({ iat, exp }) => iat < exp && exp - iat <= 300, { path: ['exp'] })
  .meta({ id: 'DirectiveClaims' }) satisfies z.ZodType<DirectiveClaims>

export const activationClaims = z
  .object({
    iss: longText,
    aud: text,
    instance_id: text,
    license_id: text,
    nonce: z.string().regex(/^[A-Za-z0-9_-]{16,64}$/),
    iat: seconds,
    exp: seconds,
    action: z.enum(['none', 'downgrade']),
    seq: count,
    reason: z.union([z.literal(''), text]),
    grant: z
      .string()
      .max(65_536)
      .regex(/^eyJ[\w-]*\.[\w-]+\.[\w-]+$/),
    tier: forbidden,
    status: forbidden,
    sub: forbidden,
  })
  .refine(({ iat, exp }) => iat < exp && exp - iat <= 2_592_000, { path: ['exp'] })
  .meta({ id: 'ActivationClaims' }) satisfies z.ZodType<ActivationClaims>

export const keySetKey = z
  .object({
    kid: text,
    x: z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/),
    product: text,
    use: z.enum(['license', 'control', 'raw']),
    status: z.enum(['pending', 'active', 'retiring', 'retired', 'revoked']),
    nbf: seconds,
    d: forbidden,
  })
  .meta({ id: 'KeySetKey' }) satisfies z.ZodType<KeySetKey>

export const keySetClaims = z
  .object({ iss: longText, number: count, iat: seconds, exp: seconds, keys: z.array(keySetKey) })
  .refine(({ iat, exp }) => iat < exp && exp - iat <= 34_560_000, { path: ['exp'] })
  .refine(({ keys }) => new Set(keys.map(({ kid }) => kid)).size === keys.length, { path: ['keys'] })
  .refine(({ keys }) => new Set(keys.map(({ x }) => x)).size === keys.length, { path: ['keys'] })
  .meta({ id: 'KeySetClaims' }) satisfies z.ZodType<KeySetClaims>

export const entitlementTokenPayload = z
  .object({
    iss: longText,
    product: text,
    instance_id: text,
    license_id: text,
    tier: text,
    features: z.array(text),
    limits,
    nonce: z.string().regex(/^[0-9a-f]{32}$/),
    issued_at: seconds,
    expires_at: seconds,
    customer_id: forbidden,
  })
  .refine(({ issued_at, expires_at }) => issued_at < expires_at && expires_at - issued_at <= 86_400, {
    path: ['expires_at'],
  })
  .meta({ id: 'EntitlementTokenPayload' }) satisfies z.ZodType<EntitlementTokenPayload>

export const licenseKeyPayload = z
  .object({
    product: text,
    tier: text,
    customer_id: text,
    license_id: text,
    offline: z.boolean(),
    issued_at: seconds,
    expires_at: seconds,
    nonce: forbidden,
    features: forbidden,
    limits: forbidden,
  })
  .meta({ id: 'LicenseKeyPayload' }) satisfies z.ZodType<LicenseKeyPayload>
