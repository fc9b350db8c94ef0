// Every setting of the relay: names and defaults of the license cache (reference, section 3), and what names its vendor.
import { z } from 'zod'
import { LOG_LEVELS } from '../platform/logger.ts'
import { readHost, readIssuer, readPublicUrl } from './addresses.ts'
import { factsIn } from './read-environment.ts'
import { oneOf, type Reader, readSwitch, wholeNumber } from './reading.ts'
import { optional, preset } from './setting.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const SHORTEST_INTERNAL_KEY = 24
/** Random hex digits of the shortest length have that many but once in some ten thousand times; words repeated do not. */
const FEWEST_CHARACTERS = 8

/** Raw Ed25519 public keys in hex, one or two, separated by commas. */
const readRoots: Reader<readonly string[]> = (text) => {
  const roots = text.split(',').map((part) => part.trim().toLowerCase())
  if (roots.some((root) => !/^[0-9a-f]{64}$/.test(root)))
    return { wrong: 'has a key that is not 64 hex digits' }
  return roots.length > 2 ? { wrong: 'has more than two keys' } : { value: roots }
}

const readInternalKey: Reader<string> = (text) => {
  if (text.length < SHORTEST_INTERNAL_KEY)
    return { wrong: `is shorter than ${SHORTEST_INTERNAL_KEY} characters` }
  if (!/^[\x21-\x7e]{1,256}$/.test(text)) return { wrong: 'has white space or is not ASCII' }
  if (new Set(text).size < FEWEST_CHARACTERS)
    return { wrong: `has fewer than ${FEWEST_CHARACTERS} different characters` }
  return /^(?:sk-|lrk_|lak_|lit_|lre_|eyJ)/.test(text)
    ? { wrong: 'is a credential of the vendor, whose holder is somebody else' }
    : { value: text }
}

const readRelayKey: Reader<string> = (text) =>
  /^lrk_[\w-]{16,200}$/.test(text) ? { value: text } : { wrong: 'is not a relay key, which begins with lrk_' }

/** Milliseconds, as the license cache of the reference writes them. */
const milliseconds = (least: number, most: number, fallback: number, meaning: string) =>
  preset(wholeNumber(least, most), {
    default: String(fallback),
    meaning: `${meaning}, in milliseconds`,
    allowed: `a whole number from ${least} to ${most}`,
  })

const enabled = (meaning: string) =>
  preset(readSwitch, { default: 'true', meaning, allowed: 'true or false' })

export const relaySchema = z.object({
  LEASEHOLD_UPSTREAM: optional(readPublicUrl, {
    default: '`--upstream`',
    meaning: "The vendor's server",
    allowed: 'an https URL; http on this machine only',
  }),
  LEASEHOLD_ISSUER: optional(readIssuer, {
    default: 'that of the enrolment',
    meaning: 'The exact `iss` of everything the vendor signs',
    allowed: 'up to 256 ASCII characters without white space',
  }),
  LEASEHOLD_ROOT_KEYS: optional(readRoots, {
    default: 'those of the enrolment',
    meaning: "The vendor's root keys that are trusted",
    allowed: 'one or two raw Ed25519 public keys of 64 hex digits, separated by a comma',
  }),
  LEASEHOLD_RELAY_KEY: optional(readRelayKey, {
    default: 'that of the enrolment',
    meaning: 'The relay key that the enrolment gave',
    allowed: 'lrk_…',
    secret: true,
  }),
  SECRET_INTERNAL_API_KEY: optional(readInternalKey, {
    default: 'none: the local API answers 401',
    meaning: 'Opens `/api/licenses/*`, `/metrics` and the status page',
    allowed: `at least ${SHORTEST_INTERNAL_KEY} characters of ASCII, ${FEWEST_CHARACTERS} of them different`,
    secret: true,
  }),
  LEASEHOLD_RELAY_DIR: preset((text) => ({ value: text }), {
    default: '.relay',
    meaning: "Folder of the relay's key, cache and queue",
    allowed: 'a path',
  }),
  HOST: preset(readHost, {
    default: '127.0.0.1',
    meaning: 'Address to listen on; for other machines with TLS before it, and PUBLIC_URL',
    allowed: 'an IP address or a host name',
  }),
  PORT: preset(wholeNumber(0, 65_535), {
    default: '8082',
    meaning: 'TCP port to listen on',
    allowed: 'a whole number from 0 to 65535',
  }),
  PUBLIC_URL: optional(readPublicUrl, {
    default: 'where a request says it came to',
    meaning: 'URL under which instances reach the relay, where a proxy stands before it',
    allowed: 'an https URL without credentials, query or fragment; http on this machine only',
  }),
  LEASEHOLD_ALLOW_INSECURE_HTTP: preset(readSwitch, {
    default: 'false',
    meaning: 'Whether other machines may reach the relay in plain http; warned of at each start',
    allowed: 'true or false',
  }),
  LICENSE_CACHE_TTL: milliseconds(1, DAY_MS, 30 * MINUTE_MS, 'Age up to which a license counts as synced'),
  STALE_GRACE_PERIOD: milliseconds(
    0,
    30 * DAY_MS,
    2 * HOUR_MS,
    'Time after that in which it counts as stale',
  ),
  BACKGROUND_SYNC_INTERVAL: milliseconds(100, DAY_MS, 15 * MINUTE_MS, 'Time between two background syncs'),
  MAX_SYNC_RETRIES: preset(wholeNumber(0, 20), {
    default: '3',
    meaning: 'Retries of one sync',
    allowed: 'a whole number from 0 to 20',
  }),
  SYNC_RETRY_DELAY: milliseconds(10, HOUR_MS, 5000, 'Wait before the first retry, doubled with each'),
  SYNC_TIMEOUT: milliseconds(50, 5 * MINUTE_MS, 10_000, 'Longest wait for an answer of the vendor'),
  CLEANUP_INTERVAL: milliseconds(100, DAY_MS, HOUR_MS, 'Time between two cleanups'),
  FAILED_CACHE_MAX_AGE: milliseconds(
    1000,
    30 * DAY_MS,
    DAY_MS,
    'Age at which what failed to sync is dropped',
  ),
  ENABLE_CACHE: enabled('Whether answers are kept'),
  ENABLE_BACKGROUND_SYNC: enabled('Whether licenses are synced without being asked for'),
  ENABLE_CACHE_CLEANUP: enabled('Whether the cache is cleaned up'),
  LEASEHOLD_QUEUE_BYTES: preset(wholeNumber(65_536, 2 ** 40), {
    default: String(256 * 1024 * 1024),
    meaning: 'Bytes of reports kept while the vendor is away; the oldest telemetry goes first',
    allowed: `a whole number from 65536 to ${2 ** 40}`,
  }),
  LEASEHOLD_DEVELOPMENT_LICENSE: optional((text) => ({ value: text }), {
    default: 'none',
    meaning:
      'JSON file with `{tier, features, limits}`, small, that the local API shows where the vendor has told of no license, marked as such',
    allowed: 'a path',
  }),
  LOG_LEVEL: preset(oneOf(LOG_LEVELS), {
    default: 'info',
    meaning: 'Least severe log line that is written',
    allowed: LOG_LEVELS.join(', '),
  }),
})

export type RelaySettingName = keyof typeof relaySchema.shape

/** README's table of the relay's settings, in its order. */
export function relaySettingsTable(): { name: string; default: string; meaning: string }[] {
  return Object.keys(relaySchema.shape).map((name) => {
    const { default: fallback, meaning, allowed } = factsIn(relaySchema, name as RelaySettingName)
    return { name, default: fallback, meaning: `${meaning}. Allowed: ${allowed}` }
  })
}
