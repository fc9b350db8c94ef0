// The instance API's messages in zod. Tolerant of unknown members: old servers meet new clients.
import { z } from 'zod'
import type {
  ActivateRequest,
  ExchangeRequest,
  HeartbeatMetrics,
  HeartbeatRequest,
  LicenseKeyRequest,
  RefreshRequest,
  RegisterRequest,
  TelemetryAnswer,
} from './instance-api.ts'

const text = (max: number) => z.string().max(max)
/** Absent, or null as clients in other languages write it. */
const maybe = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined)
const instanceId = z.string().min(1).max(255).meta({ example: 'test-001' })
const productCode = z.string().min(1).max(64).meta({ example: 'keldris' })
const count = z.int().nonnegative()

/** Beyond it sums are not exact, and many such values overflow. */
const MOST = Number.MAX_SAFE_INTEGER
const metricName = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/)
const metricValues = z
  .record(metricName, z.number().min(-MOST).max(MOST))
  .refine((metrics) => Object.keys(metrics).length <= 100, { error: 'at most 100 metrics' })

const control = {
  nonce: maybe(z.string().regex(/^[A-Za-z0-9_-]{16,64}$/)).meta({
    description: 'Random per request; asks for a signed directive that answers it.',
  }),
  refresh_token: maybe(text(256)),
  refresh_id: maybe(text(128)),
}

const report = {
  ack: maybe(count).meta({ description: '`seq` of the directive that was carried out.' }),
  boot_id: maybe(z.guid()).meta({ description: 'UUID of this process start.' }),
  seq: maybe(count).meta({ description: 'Counter from 0 within the boot: a report counts once.' }),
  observed_at: maybe(z.iso.datetime({ offset: true })),
}

export const exchangeRequest = z
  .object({
    instance_id: instanceId,
    version: text(100).meta({ example: '1.4.0' }),
    fingerprint: maybe(text(256)),
    instance_token: maybe(text(256)),
    ...control,
  })
  .meta({ id: 'ExchangeRequest' }) satisfies z.ZodType<ExchangeRequest>

/** Whatever a client of another version reports: numbers are kept, the rest is left out. */
const looseMetrics = z
  .record(z.string(), z.unknown())
  .refine((metrics) => Object.keys(metrics).length <= 100, { error: 'at most 100 metrics' })

export const refreshRequest = z
  .object({
    license_id: maybe(text(128)),
    instance_id: instanceId,
    version: text(100),
    uptime_hours: maybe(z.number()),
    telemetry: maybe(looseMetrics),
    instance_token: maybe(text(256)),
    ...control,
    ...report,
  })
  .meta({ id: 'RefreshRequest' }) satisfies z.ZodType<RefreshRequest>

const action = z.enum(['none', 'downgrade', 'kill'])

const instanceConfig = z
  .object({
    feature_refresh_token: z.string().optional(),
    heartbeat_interval: z.int().meta({ description: 'Seconds.' }),
    refresh_interval: z.int().meta({ description: 'Seconds.' }),
    sync: z.string().optional().meta({ description: 'URL of the live channel, where offered.' }),
  })
  .meta({ id: 'InstanceConfig' })

export const tokenAnswer = z
  .object({
    jwt: z.string(),
    expires_in: z.int().meta({ description: 'Seconds.', example: 86400 }),
    message: z.string().nullable(),
    action: action.meta({ description: 'A hint; the directive is the signed word.' }),
    refresh_token: z.string().optional(),
    instance_token: z.string().optional(),
    directive: z.string().optional(),
    config: instanceConfig.optional(),
  })
  .meta({ id: 'TokenAnswer' })

const MOST_FEATURES = 200
const LONGEST_FEATURE = 100

export const heartbeatMetrics = z
  .looseObject({
    feature_usage: maybe(z.array(z.string())).transform((features) =>
      features?.slice(0, MOST_FEATURES).map((feature) => feature.slice(0, LONGEST_FEATURE).toWellFormed()),
    ),
    entitlement_token_hash: maybe(text(128)),
    server_version: maybe(text(100)),
    integrity_hash: maybe(text(256)),
  })
  .refine((metrics) => Object.keys(metrics).length <= 100, { error: 'at most 100 metrics' })
  .meta({ id: 'HeartbeatMetrics' }) satisfies z.ZodType<HeartbeatMetrics>

export const registerRequest = z
  .object({
    instance_id: instanceId,
    product: productCode,
    hostname: maybe(text(255)),
    server_version: maybe(text(100)),
    tier: maybe(text(64)),
    os: maybe(text(64)),
    arch: maybe(text(64)),
    fingerprint: maybe(text(256)),
    metrics: maybe(heartbeatMetrics),
    ...control,
  })
  .meta({ id: 'RegisterRequest' }) satisfies z.ZodType<RegisterRequest>

export const registerAnswer = z
  .object({
    status: z.literal('registered'),
    instance_token: z.string().optional().meta({ description: 'Shown once.' }),
    directive: z.string().optional(),
  })
  .meta({ id: 'RegisterAnswer' })

export const heartbeatRequest = z
  .object({
    instance_id: instanceId,
    product: productCode,
    reported_tier: text(64),
    has_valid_entitlement: z.boolean(),
    metrics: heartbeatMetrics.nullable().transform((metrics) => metrics ?? {}),
    ...control,
    ...report,
  })
  .meta({ id: 'HeartbeatRequest' }) satisfies z.ZodType<HeartbeatRequest>

export const heartbeatAnswer = z
  .object({
    status: z.literal('ok'),
    action,
    config: instanceConfig.required({ feature_refresh_token: true }),
    entitlement_token: z.string().optional(),
    directive: z.string().optional(),
  })
  .meta({ id: 'HeartbeatAnswer' })

const licenseKeyFields = {
  license_key: z.string().max(8192).trim(),
  instance_id: instanceId,
  product: productCode,
  ...control,
}

export const licenseKeyRequest = z
  .object(licenseKeyFields)
  .meta({ id: 'LicenseKeyRequest' }) satisfies z.ZodType<LicenseKeyRequest>

export const activateRequest = z
  .object({
    ...licenseKeyFields,
    hostname: maybe(text(255)),
    server_version: maybe(text(100)),
    fingerprint: maybe(text(256)),
  })
  .meta({ id: 'ActivateRequest' }) satisfies z.ZodType<ActivateRequest>

export const seatAnswer = z
  .object({
    status: z.enum(['active', 'valid', 'revoked', 'expired', 'limit_reached']),
    reason: z.string().optional(),
    message: z.string().optional(),
    fix: z.string().optional(),
    tier: z.string(),
    customer_id: z.string(),
    customer_name: z.string(),
    company: z.string(),
    expires_at: z.string().meta({ description: 'RFC 3339; 9999-12-31T23:59:59Z is perpetual.' }),
    issued_at: z.string(),
    limits: z.record(z.string(), z.int()).meta({ description: '-1 is unlimited.' }),
    is_trial: z.boolean(),
    entitlement_token: z.string().optional().meta({ description: 'Never with a denial.' }),
    jwt: z.string().optional(),
    expires_in: z.int().optional(),
    refresh_token: z.string().optional(),
    instance_token: z.string().optional(),
    directive: z.string().optional(),
    config: instanceConfig.optional().meta({ description: 'Never with a denial.' }),
    limit: z.int().optional().meta({ description: 'With limit_reached: how many are allowed.' }),
    current: z.int().optional().meta({ description: 'With limit_reached: how many there are.' }),
    expired_at: z.string().optional().meta({ description: 'With expired: when it ended.' }),
    grace_days: z.int().optional().meta({ description: 'With expired: the grace that has run out too.' }),
  })
  .meta({ id: 'SeatAnswer' })

export const deactivateAnswer = z
  .object({
    status: z.literal('deactivated'),
    reason: z.string().optional(),
    directive: z.string().optional(),
  })
  .meta({ id: 'DeactivateAnswer' })

export const telemetryReport = z
  .object({
    instance_id: instanceId,
    boot_id: z.guid(),
    seq: count,
    observed_at: z.iso.datetime({ offset: true }),
    metrics: metricValues,
  })
  .meta({ id: 'TelemetryReport' })

/** Each report is checked by itself: one bad report never fails its neighbours. */
export const telemetryRequest = z
  .object({ reports: z.array(z.unknown()).min(1).max(500) })
  .meta({ id: 'TelemetryRequest', description: '1 to 500 TelemetryReport objects, each judged by itself.' })

export const telemetryAnswer = z
  .object({
    accepted: count,
    duplicates: count,
    rejected: z.array(z.object({ index: count, error: z.string() })),
  })
  .meta({ id: 'TelemetryAnswer' }) satisfies z.ZodType<TelemetryAnswer>
