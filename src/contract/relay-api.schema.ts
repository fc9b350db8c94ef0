// The messages between a relay and the server in zod. Tolerant of unknown members: old servers meet new relays.
import { z } from 'zod'
import { heartbeatMetrics, telemetryReport } from './instance-api.schema.ts'
import {
  type AllotmentAnswer,
  type AllotmentRequest,
  type EnrolAnswer,
  type EnrolRequest,
  type LeasesAnswer,
  type LeasesRequest,
  RELAY_BATCH,
  type RelayLeaseReport,
  type RelayLicense,
  type RelayReport,
} from './relay-api.ts'

const text = (max: number) => z.string().max(max)
/** Absent, or null as clients in other languages write it. */
const maybe = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined)
const count = z.int().nonnegative()
const instant = z.iso.datetime({ offset: true })
const MOST_SEATS = 2_147_483_647
const LONGEST_TOKEN = 65_536

const product = z.string().min(1).max(64).meta({ example: 'keldris' })
const licenseId = z.string().max(64).meta({ example: 'lic_019b76daa80070008000000000000005' })

export const relayJwk = z
  .looseObject({
    kty: z.literal('OKP'),
    crv: z.literal('Ed25519'),
    x: z
      .string()
      .regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/)
      .meta({ example: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }),
  })
  .refine((jwk) => !('d' in jwk), { error: 'the private half must not be sent' })
  .meta({ id: 'RelayPublicKey' })

export const enrolRequest = z
  .object({
    code: text(128).meta({ description: 'lre_…, used once.' }),
    public_key: relayJwk,
    name: maybe(z.string().trim().min(1).max(200)),
    version: text(100).meta({ example: '1.4.0' }),
  })
  .meta({ id: 'RelayEnrolRequest' }) satisfies z.ZodType<EnrolRequest>

export const enrolAnswer = z
  .object({
    relay_id: z.string().meta({ example: 'rly_019b76daa80070008000000000000021' }),
    relay_key: z.string().meta({ description: 'Shown this once.' }),
    issuer: z.string(),
    products: z.array(z.string()),
    key_set: z.string().meta({ description: 'Compact JWS, signed by the root (T4).' }),
  })
  .meta({ id: 'RelayEnrolAnswer' }) satisfies z.ZodType<EnrolAnswer>

export const relayLicense = z
  .object({
    license_id: licenseId,
    product,
    tier: z.string(),
    features: z.array(z.string()),
    limits: z.record(z.string(), z.int()).meta({ description: '-1 is unlimited.' }),
    status: z.enum(['active', 'in_grace', 'expired', 'suspended', 'revoked']),
    reason: z.string().nullable(),
    organization_name: z.string(),
    is_trial: z.boolean(),
    fingerprint: z.string().nullable(),
    issued_at: z.string(),
    expires_at: z.string().nullable(),
    grace_days: z.int(),
    seat_limit: z.int().nullable(),
    share: z.int().meta({ description: 'Seats that an admin lets this relay have.' }),
    allotment: z.object({ seq: z.int(), seats: z.int(), expires_at: z.string() }).nullable(),
  })
  .meta({ id: 'RelayLicense' }) satisfies z.ZodType<RelayLicense>

export const allotmentRequest = z
  .object({
    license_id: licenseId,
    seats: count.max(MOST_SEATS).meta({ description: 'Less may be given; 0 gives it back.', example: 10 }),
    current: maybe(text(LONGEST_TOKEN)).meta({
      description: 'The allotment that the relay goes by; naming the newest acknowledges it.',
    }),
    release: maybe(z.boolean()),
  })
  .meta({ id: 'AllotmentRequest' }) satisfies z.ZodType<AllotmentRequest>

export const allotmentAnswer = z
  .object({ allotment: z.string().nullable(), expires_at: z.string().nullable(), seats: count })
  .meta({ id: 'AllotmentAnswer' }) satisfies z.ZodType<AllotmentAnswer>

export const relayLeaseReport = z
  .object({
    license_id: licenseId,
    instance_id: z.string().min(1).max(255).meta({ example: 'test-001' }),
    product,
    issued_at: instant,
    expires_at: instant,
    released: maybe(z.boolean()),
  })
  .meta({ id: 'RelayLeaseReport' }) satisfies z.ZodType<RelayLeaseReport>

/** Each lease is judged by itself: one that is bad never fails its neighbours. */
export const leasesRequest = z
  .object({
    leases: z.array(z.unknown()).max(RELAY_BATCH),
    refresh_token: maybe(text(256)),
    refresh_id: maybe(text(128)),
  })
  .meta({
    id: 'RelayLeasesRequest',
    description: 'Up to 500 RelayLeaseReport objects, each judged by itself.',
  }) satisfies z.ZodType<Omit<LeasesRequest, 'leases'> & { leases: unknown[] }>

export const leasesAnswer = z
  .object({
    accepted: count,
    rejected: z.array(z.object({ index: count, error: z.string() })),
    refresh_token: z.string(),
  })
  .meta({ id: 'RelayLeasesAnswer' }) satisfies z.ZodType<LeasesAnswer>

export const relayReport = telemetryReport
  .extend({
    product,
    kind: maybe(z.enum(['heartbeat', 'telemetry'])),
    metrics: heartbeatMetrics,
    reported_tier: maybe(text(64)),
    has_valid_entitlement: maybe(z.boolean()),
    feature_usage: maybe(z.array(text(100)).max(200)),
    server_version: maybe(text(100)),
    ack: maybe(count),
  })
  .meta({ id: 'RelayReport' }) satisfies z.ZodType<RelayReport>
