// The settings as the rest of the code sees them: typed, complete, immutable. Reads the given environment, no disk.
import type { z } from 'zod'
import type { LogLevel } from '../platform/logger.ts'
import { StartError } from '../platform/start-error.ts'
import { localUrl, type Network } from './addresses.ts'
import type { ActionBudget, RateLimit } from './durations.ts'
import type { RootKeySetting } from './root-key.ts'
import { factsOf, SETTING_NAMES, type SettingName, settingsSchema } from './schema.ts'
import { nearestName, unknownNames } from './unknown-names.ts'

export type Environment = Readonly<Record<string, string | undefined>>

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
  readonly staleAfterSeconds: number
  readonly retentionReportsSeconds: number
  readonly retentionAuditSeconds: number
  readonly retentionEventsSeconds: number
  readonly retentionTelemetryHourlySeconds: number
  readonly retentionTelemetryDailySeconds: number
  readonly poolSize: number
  readonly logLevel: LogLevel
}

const LONGEST_SHOWN = 40

/**
 * The settings in `env`. An empty value counts as absent, as compose files write it. Throws one StartError with a
 * line for each problem; no line repeats a secret.
 */
export function loadSettings(env: Environment): Settings {
  const given = givenValues(env)
  const parsed = settingsSchema.safeParse(given)
  const problems = [...wrongValues(parsed.error, given), ...missingCompanions(given), ...unknown(env)]
  if (!parsed.success || problems.length > 0) throw refusal(problems)
  return frozen(settingsFrom(parsed.data))
}

function givenValues(env: Environment): Partial<Record<SettingName, string>> {
  const given: Partial<Record<SettingName, string>> = {}
  for (const name of SETTING_NAMES) {
    const value = env[name]?.trim()
    if (value) given[name] = value
  }
  return given
}

function wrongValues(error: z.ZodError | undefined, given: Partial<Record<SettingName, string>>): string[] {
  return (error?.issues ?? []).map((issue) => {
    const name = issue.path[0] as SettingName
    return `${name}: ${shown(name, given[name] ?? '')} ${issue.message}; allowed: ${factsOf(name).allowed}`
  })
}

/** A short value helps to find it; a secret one, or one that may hold a password, stays unsaid. */
function shown(name: SettingName, value: string): string {
  const unsaid = factsOf(name).secret || value.includes('@') || value.length > LONGEST_SHOWN
  return unsaid ? 'the value' : JSON.stringify(value)
}

function missingCompanions(given: Partial<Record<SettingName, string>>): string[] {
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

function unknown(env: Environment): string[] {
  return unknownNames(env, SETTING_NAMES).map((name) => {
    const nearest = nearestName(name, SETTING_NAMES)
    return `${name}: is no setting; ${nearest ? `did you mean ${nearest}?` : 'remove it'}`
  })
}

function refusal(problems: readonly string[]): StartError {
  const count = problems.length === 1 ? 'A setting is wrong' : `${problems.length} settings are wrong`
  return new StartError(
    [`${count}:`, ...problems.map((problem) => `  ${problem}`)].join('\n'),
    'Correct the environment and start again. The README lists every setting.',
  )
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
    staleAfterSeconds: values.LEASEHOLD_STALE_AFTER,
    retentionReportsSeconds: values.LEASEHOLD_RETENTION_REPORTS,
    retentionAuditSeconds: values.LEASEHOLD_RETENTION_AUDIT,
    retentionEventsSeconds: values.LEASEHOLD_RETENTION_EVENTS,
    retentionTelemetryHourlySeconds: values.LEASEHOLD_RETENTION_TELEMETRY_HOURLY,
    retentionTelemetryDailySeconds: values.LEASEHOLD_RETENTION_TELEMETRY_DAILY,
    poolSize: values.LEASEHOLD_POOL_SIZE,
    logLevel: values.LOG_LEVEL,
  }
}

function frozen<T>(value: T): T {
  // The language cannot freeze bytes.
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const member of Object.values(value)) frozen(member)
  return Object.freeze(value)
}
