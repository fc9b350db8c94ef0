// The settings as the rest of the code sees them: typed, complete, immutable. Reads the given environment, no disk.
import type { z } from 'zod'
import type { LogLevel } from '../platform/logger.ts'
import { localUrl, type Network } from './addresses.ts'
import type { ActionBudget, RateLimit } from './durations.ts'
import { type Environment, type Given, readEnvironment } from './read-environment.ts'
import type { RootKeySetting } from './root-key.ts'
import { factsOf, type SettingName, settingsSchema } from './schema.ts'

export type { Environment } from './read-environment.ts'

export interface Settings {
  readonly port: number
  readonly host: string
  /** Null: the embedded database. */
  readonly databaseUrl: string | null
  /** Without a trailing slash. */
  readonly publicUrl: string
  readonly issuer: string
  /** Whether the environment names it, as LEASEHOLD_ISSUER or PUBLIC_URL. */
  readonly issuerGiven: boolean
  /** Null only with the embedded database: the data folder's own. */
  readonly masterKey: Uint8Array | null
  /** Null only with the embedded database: the data folder's own. Open a file with `loadRootKey`. */
  readonly rootKey: RootKeySetting | null
  readonly dataDir: string
  readonly demo: boolean
  readonly trustedProxies: readonly Network[]
  /** Null: off. */
  readonly rateLimit: RateLimit | null
  /** Null: off. */
  readonly credentialRateLimit: RateLimit | null
  readonly actionBudget: ActionBudget | null
  readonly tokenLifeSeconds: number
  readonly entitlementLifeSeconds: number
  readonly offlineLeaseSeconds: number
  readonly staleAfterSeconds: number
  readonly retentionReportsSeconds: number
  readonly retentionAuditSeconds: number
  readonly retentionEventsSeconds: number
  readonly retentionTelemetryHourlySeconds: number
  readonly retentionTelemetryDailySeconds: number
  /** 0: new requests are refused as soon as the server is told to stop. */
  readonly shutdownGraceSeconds: number
  /** Of the whole server. */
  readonly poolSize: number
  readonly places: number
  /** That serve. */
  readonly processes: number | 'auto'
  readonly logLevel: LogLevel
}

/** Longer than two looks of common load balancers at /readyz. */
const BALANCER_NOTICES_SECONDS = 5

/** What a runtime demands beyond the schema: one line for each problem, without a secret. */
export type Demands = (given: Given<SettingName>) => string[]

/**
 * The settings in `env`. Throws one StartError with a line for each problem; no line repeats a secret.
 */
export function loadSettings(env: Environment, demands: Demands = () => []): Settings {
  const companions = (given: Given<SettingName>) => [...missingCompanions(given), ...demands(given)]
  return frozen(settingsFrom(readEnvironment(settingsSchema, env, companions)))
}

function missingCompanions(given: Given<SettingName>): string[] {
  const problems: string[] = []
  const needs = (name: SettingName, because: string) => {
    if (given[name] === undefined) {
      problems.push(`${name}: is missing, and ${because}; allowed: ${factsOf(name).allowed}`)
    }
  }
  if (given.DATABASE_URL !== undefined) {
    needs('LEASEHOLD_MASTER_KEY', 'DATABASE_URL is set')
    needs('LEASEHOLD_ROOT_KEY', 'DATABASE_URL is set')
  }
  if (given.PORT !== undefined && /^0+$/.test(given.PORT)) needs('PUBLIC_URL', 'PORT is 0')
  return problems
}

function settingsFrom(values: z.output<typeof settingsSchema>): Settings {
  const publicUrl = values.PUBLIC_URL ?? localUrl(values.HOST, values.PORT)
  return {
    port: values.PORT,
    host: values.HOST,
    databaseUrl: values.DATABASE_URL ?? null,
    publicUrl,
    issuer: values.LEASEHOLD_ISSUER ?? publicUrl,
    issuerGiven: (values.LEASEHOLD_ISSUER ?? values.PUBLIC_URL) !== undefined,
    masterKey: values.LEASEHOLD_MASTER_KEY ?? null,
    rootKey: values.LEASEHOLD_ROOT_KEY ?? null,
    dataDir: values.LEASEHOLD_DATA_DIR,
    demo: values.LEASEHOLD_DEMO ?? values.DATABASE_URL === undefined,
    trustedProxies: values.LEASEHOLD_TRUSTED_PROXIES ?? [],
    rateLimit: values.LEASEHOLD_RATE_LIMITS,
    credentialRateLimit: values.LEASEHOLD_CREDENTIAL_RATE_LIMIT,
    actionBudget: values.LEASEHOLD_ACTION_BUDGET,
    tokenLifeSeconds: values.LEASEHOLD_TOKEN_LIFE,
    entitlementLifeSeconds: values.LEASEHOLD_ENTITLEMENT_LIFE,
    offlineLeaseSeconds: values.LEASEHOLD_OFFLINE_LEASE,
    staleAfterSeconds: values.LEASEHOLD_STALE_AFTER,
    retentionReportsSeconds: values.LEASEHOLD_RETENTION_REPORTS,
    retentionAuditSeconds: values.LEASEHOLD_RETENTION_AUDIT,
    retentionEventsSeconds: values.LEASEHOLD_RETENTION_EVENTS,
    retentionTelemetryHourlySeconds: values.LEASEHOLD_RETENTION_TELEMETRY_HOURLY,
    retentionTelemetryDailySeconds: values.LEASEHOLD_RETENTION_TELEMETRY_DAILY,
    // Alone on its database, nobody else could answer in its place.
    shutdownGraceSeconds:
      values.LEASEHOLD_SHUTDOWN_GRACE ?? (values.DATABASE_URL === undefined ? 0 : BALANCER_NOTICES_SECONDS),
    poolSize: values.LEASEHOLD_POOL_SIZE,
    places: values.LEASEHOLD_PLACES,
    // One is enough for the embedded database, which shares the machine with it.
    processes: values.LEASEHOLD_PROCESSES ?? (values.DATABASE_URL === undefined ? 1 : 'auto'),
    logLevel: values.LOG_LEVEL,
  }
}

function frozen<T>(value: T): T {
  // The language cannot freeze bytes.
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const member of Object.values(value)) frozen(member)
  return Object.freeze(value)
}
