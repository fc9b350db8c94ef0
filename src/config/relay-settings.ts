// The relay's settings as its code sees them. Reads the given environment, no disk; what a file adds comes later.
import type { LogLevel } from '../platform/logger.ts'
import { type Environment, factsIn, type Given, readEnvironment } from './read-environment.ts'
import { servesPlainly, unsafeSettings } from './relay-safety.ts'
import { type RelaySettingName, relaySchema } from './relay-schema.ts'
import { SETTING_NAMES } from './schema.ts'

/** Durations are milliseconds, as the reference writes them. Null: not in the environment. */
export interface RelaySettings {
  readonly upstream: string | null
  readonly issuer: string | null
  /** Raw keys in hex. */
  readonly roots: readonly string[] | null
  readonly relayKey: string | null
  readonly internalKey: string | null
  readonly folder: string
  readonly publicUrl: string | null
  /** Whether other machines reach the relay in plain http, which LEASEHOLD_ALLOW_INSECURE_HTTP allowed. */
  readonly plainHttp: boolean
  readonly host: string
  readonly port: number
  readonly cacheTtl: number
  readonly staleGrace: number
  readonly syncInterval: number
  readonly syncRetries: number
  readonly retryDelay: number
  readonly syncTimeout: number
  readonly cleanupInterval: number
  readonly failedMaxAge: number
  readonly cache: boolean
  readonly backgroundSync: boolean
  readonly cleanup: boolean
  readonly queueBytes: number
  readonly developmentLicense: string | null
  readonly logLevel: LogLevel
}

/** What is wrong with the files that the settings name: one line for each. Given by whoever may look at the disk. */
export type LookAtPlaces = (places: Pick<RelaySettings, 'folder' | 'developmentLicense'>) => string[]

/**
 * The settings in `env`; `upstream` of the command line goes before LEASEHOLD_UPSTREAM.
 * @throws StartError with a line for each problem, everything unsafe among them.
 */
export function loadRelaySettings(
  env: Environment,
  upstream?: string,
  places: LookAtPlaces = () => [],
): RelaySettings {
  const full = upstream === undefined ? env : { ...env, LEASEHOLD_UPSTREAM: upstream }
  let plain = false
  const between = (given: Given<RelaySettingName>) => {
    plain = servesPlainly(given)
    return [
      ...unsafeSettings(given, full),
      ...places({
        folder: given.LEASEHOLD_RELAY_DIR ?? factsIn(relaySchema, 'LEASEHOLD_RELAY_DIR').default,
        developmentLicense: given.LEASEHOLD_DEVELOPMENT_LICENSE ?? null,
      }),
    ]
  }
  const values = readEnvironment(relaySchema, full, between, SETTING_NAMES)
  return Object.freeze({
    upstream: values.LEASEHOLD_UPSTREAM ?? null,
    issuer: values.LEASEHOLD_ISSUER ?? null,
    roots: values.LEASEHOLD_ROOT_KEYS ?? null,
    relayKey: values.LEASEHOLD_RELAY_KEY ?? null,
    internalKey: values.SECRET_INTERNAL_API_KEY ?? null,
    folder: values.LEASEHOLD_RELAY_DIR,
    publicUrl: values.PUBLIC_URL ?? null,
    plainHttp: plain,
    host: values.HOST,
    port: values.PORT,
    cacheTtl: values.LICENSE_CACHE_TTL,
    staleGrace: values.STALE_GRACE_PERIOD,
    syncInterval: values.BACKGROUND_SYNC_INTERVAL,
    syncRetries: values.MAX_SYNC_RETRIES,
    retryDelay: values.SYNC_RETRY_DELAY,
    syncTimeout: values.SYNC_TIMEOUT,
    cleanupInterval: values.CLEANUP_INTERVAL,
    failedMaxAge: values.FAILED_CACHE_MAX_AGE,
    cache: values.ENABLE_CACHE,
    backgroundSync: values.ENABLE_BACKGROUND_SYNC,
    cleanup: values.ENABLE_CACHE_CLEANUP,
    queueBytes: values.LEASEHOLD_QUEUE_BYTES,
    developmentLicense: values.LEASEHOLD_DEVELOPMENT_LICENSE ?? null,
    logLevel: values.LOG_LEVEL,
  })
}
