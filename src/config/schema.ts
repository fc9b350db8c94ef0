// Every setting of the server: how its text is read, its default, its meaning. Checks between settings are elsewhere.
import { z } from 'zod'
import { LOG_LEVELS } from '../platform/logger.ts'
import { readDatabaseUrl, readHost, readIssuer, readNetworks, readPublicUrl } from './addresses.ts'
import { duration, readActionBudget, readRateLimit } from './durations.ts'
import { readMasterKey } from './master-key.ts'
import { factsIn } from './read-environment.ts'
import { oneOf, readProcesses, readSwitch, wholeNumber } from './reading.ts'
import { ROOT_KEY_ALLOWED, readRootKey } from './root-key.ts'
import { lasting, optional, preset, type SettingFacts } from './setting.ts'

export const settingsSchema = z.object({
  PORT: preset(wholeNumber(0, 65_535), {
    default: '8081',
    meaning: 'TCP port to listen on; 0 lets the system choose one, and then needs `PUBLIC_URL`',
    allowed: 'a whole number from 0 to 65535',
  }),
  HOST: preset(readHost, {
    default: '127.0.0.1',
    meaning: 'Address to listen on; `0.0.0.0` or `::` for every interface',
    allowed: 'an IP address or a host name',
  }),
  DATABASE_URL: optional(readDatabaseUrl, {
    default: 'embedded PostgreSQL in the data folder',
    meaning: 'Your own PostgreSQL, 15 or newer; needs `LEASEHOLD_MASTER_KEY` and `LEASEHOLD_ROOT_KEY`',
    allowed: 'postgres://… or postgresql://…',
    secret: true,
  }),
  PUBLIC_URL: optional(readPublicUrl, {
    default: '`http://HOST:PORT`',
    meaning: 'URL under which clients reach the server; refresh URLs are made from it',
    allowed: 'an http or https URL without credentials, query or fragment',
  }),
  LEASEHOLD_ISSUER: optional(readIssuer, {
    default:
      '`PUBLIC_URL`; where that is not set either, and without `DATABASE_URL`, that of the first start',
    meaning: 'The exact `iss` of everything signed; clients compare it letter by letter, so never change it',
    allowed: 'up to 256 ASCII characters without white space, a URI if it has a colon',
  }),
  LEASEHOLD_MASTER_KEY: optional(readMasterKey, {
    default: 'made in the data folder; none with `DATABASE_URL`',
    meaning: 'Key that wraps every secret in the database',
    allowed: '32 random bytes in base64, as `openssl rand -base64 32` prints them',
    secret: true,
  }),
  LEASEHOLD_ROOT_KEY: optional(readRootKey, {
    default: 'made in the data folder; none with `DATABASE_URL`',
    meaning: 'Key that signs the published key sets; `public:` when they are signed on another machine',
    allowed: ROOT_KEY_ALLOWED,
    secret: true,
  }),
  LEASEHOLD_DATA_DIR: preset((text) => ({ value: text }), {
    default: '.data',
    meaning: 'Data folder: the embedded database and `credentials.json`',
    allowed: 'a path',
  }),
  LEASEHOLD_DEMO: optional(readSwitch, {
    default: '`true`; `false` with `DATABASE_URL`',
    meaning: 'Whether the first start creates the demo catalog',
    allowed: 'true or false',
  }),
  LEASEHOLD_TRUSTED_PROXIES: optional(readNetworks, {
    default: 'none',
    meaning: 'Proxies whose forwarded client address is believed',
    allowed: 'IP addresses and CIDR ranges, separated by commas',
  }),
  LEASEHOLD_RATE_LIMITS: preset(readRateLimit, {
    default: '6000/min',
    meaning: 'Requests a minute from one address to routes without authentication',
    allowed: 'off, or <n>/min from 1 to 1000000',
  }),
  LEASEHOLD_CREDENTIAL_RATE_LIMIT: preset(readRateLimit, {
    default: '12000/min',
    meaning: 'Requests a minute with one credential, so that one client gone wild starves no other',
    allowed: 'off, or <n>/min from 1 to 1000000',
  }),
  LEASEHOLD_ACTION_BUDGET: preset(readActionBudget, {
    default: '20/100',
    meaning: 'Kills, downgrades, suspensions and revocations an hour: of one admin key, and of all together',
    allowed: 'off, or two whole numbers from 1 to 1000000',
  }),
  LEASEHOLD_TOKEN_LIFE: lasting('1s', '366d', '24h', 'Life of a license JWT, which is a lease'),
  LEASEHOLD_ENTITLEMENT_LIFE: lasting('1s', '24h', '24h', 'Life of an entitlement token'),
  LEASEHOLD_OFFLINE_LEASE: lasting('1d', '3650d', '366d', 'Longest lease of an offline activation'),
  LEASEHOLD_STALE_AFTER: lasting(
    '15m',
    '366d',
    '48h',
    'Silence after which an instance is reported as stale',
  ),
  LEASEHOLD_RETENTION_REPORTS: lasting('1d', '3650d', '90d', 'How long single reports are kept'),
  LEASEHOLD_RETENTION_AUDIT: lasting('1d', '36500d', '730d', 'How long audit entries are kept'),
  LEASEHOLD_RETENTION_EVENTS: lasting('1d', '3650d', '90d', 'How long events are kept for those who resume'),
  LEASEHOLD_RETENTION_TELEMETRY_HOURLY: lasting(
    '1d',
    '3650d',
    '90d',
    'How long telemetry is kept by the hour',
  ),
  LEASEHOLD_RETENTION_TELEMETRY_DAILY: lasting(
    '1d',
    '36500d',
    '730d',
    'How long telemetry is kept by the day',
  ),
  LEASEHOLD_SHUTDOWN_GRACE: optional(duration('0s', '5m'), {
    default: '`5s` with `DATABASE_URL`, else `0s`',
    meaning:
      'How long a server that was told to stop still answers, not ready, so that a load balancer sends requests elsewhere',
    allowed: '<n>s, <n>m, <n>h or <n>d, from 0s to 5m',
  }),
  LEASEHOLD_POOL_SIZE: preset(wholeNumber(1, 500), {
    default: '10',
    meaning: 'Database connections of this server, divided among its processes: at least 5 for each',
    allowed: 'a whole number from 1 to 500',
  }),
  LEASEHOLD_PLACES: preset(wholeNumber(8, 100_000), {
    default: '512',
    meaning:
      'Requests of instances that one process works at or keeps in its queue; those beyond them wait, and some are told to come back',
    allowed: 'a whole number from 8 to 100000',
  }),
  LEASEHOLD_PROCESSES: optional(readProcesses, {
    default: '`auto` with `DATABASE_URL`, else 1',
    meaning:
      'Processes that serve, on one address; `auto` for one a core, at most 12. Rate limits are divided among them',
    allowed: 'auto, or a whole number from 1 to 64',
  }),
  LOG_LEVEL: preset(oneOf(LOG_LEVELS), {
    default: 'info',
    meaning: 'Least severe log line that is written',
    allowed: LOG_LEVELS.join(', '),
  }),
})

export type SettingName = keyof typeof settingsSchema.shape

export const SETTING_NAMES = Object.keys(settingsSchema.shape) as SettingName[]

/** What is known about a setting apart from its value. */
export const factsOf = (name: SettingName): SettingFacts => factsIn(settingsSchema, name)

/** README's table of settings, in its order. */
export function settingsTable(): { name: SettingName; default: string; meaning: string }[] {
  return SETTING_NAMES.map((name) => {
    const { default: fallback, meaning, allowed } = factsOf(name)
    return { name, default: fallback, meaning: `${meaning}. Allowed: ${allowed}` }
  })
}
