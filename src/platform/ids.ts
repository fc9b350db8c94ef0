// Identifiers: time-sortable UUIDs, their public form with a prefix, and the key an instance is stored under.
import { createHash } from 'node:crypto'
import { type RandomBytes, randomBytes } from './random.ts'

/** What each public id names. */
export const ID_PREFIXES = {
  prd: 'product',
  tier: 'tier',
  cus: 'customer',
  lic: 'license',
  key: 'API key',
  lk: 'license key',
  sjw: 'static JWT',
  env: 'envelope',
  ofa: 'offline activation',
  ins: 'instance',
  act: 'activation',
  rep: 'report',
  ano: 'anomaly',
  adm: 'admin key',
  sgk: 'signing key',
  aud: 'audit entry',
  evt: 'event',
  rly: 'relay',
  alt: 'allotment',
  req: 'request',
} as const

export type IdPrefix = keyof typeof ID_PREFIXES

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const MAX_MILLISECONDS = 2 ** 48 - 1
const RANDOM_A_SHIFT = 62n
const LOW_62_BITS = (1n << 62n) - 1n

// The last id given: only the order within one millisecond depends on it, so losing it is harmless.
let lastMilliseconds = -1
let lastTail = 0n

/**
 * UUID version 7 of RFC 9562. Ids made by one process in the same millisecond increase (section 6.2, method 2:
 * the random part grows by a random step). Throws a RangeError for a date outside 1970 to 10889.
 */
export function uuidv7(now: Date, random: RandomBytes = randomBytes): string {
  const milliseconds = now.getTime()
  if (!(milliseconds >= 0 && milliseconds <= MAX_MILLISECONDS)) throw new RangeError('date outside UUIDv7')
  const tail = milliseconds === lastMilliseconds ? lastTail + step(random) : firstTail(random)
  lastMilliseconds = milliseconds
  lastTail = tail
  const time = milliseconds.toString(16).padStart(12, '0')
  const a = (0x7000n | (tail >> RANDOM_A_SHIFT)).toString(16)
  const b = ((2n << 62n) | (tail & LOW_62_BITS)).toString(16)
  return dashed(`${time}${a}${b}`)
}

/** 73 of the 74 random bits: the free top bit leaves room for 2^41 steps within a millisecond. */
function firstTail(random: RandomBytes): bigint {
  return BigInt(`0x${hex(random(10))}`) & ((1n << 73n) - 1n)
}

function step(random: RandomBytes): bigint {
  return BigInt(`0x${hex(random(4))}`) + 1n
}

/** `lic_` and 32 lower-case hex digits. Throws a TypeError when `uuid` is not a UUID. */
export function publicId(prefix: IdPrefix, uuid: string): string {
  const lower = uuid.toLowerCase()
  if (!UUID.test(lower)) throw new TypeError(`not a UUID for ${prefix}_`)
  return `${prefix}_${lower.replaceAll('-', '')}`
}

/** The UUID, dashed and in lower case, of a public id of that kind; null for any other text. */
export function parsePublicId(prefix: IdPrefix, text: string): string | null {
  if (!text.startsWith(`${prefix}_`)) return null
  const digits = text.slice(prefix.length + 1)
  return /^[0-9a-f]{32}$/.test(digits) ? dashed(digits) : null
}

/**
 * The UUID (version 8, RFC 9562 section 5.8) under which a product's instance is stored: the first bits of SHA-256
 * over product code and instance id, the same on every server. Public form: `ins_…`.
 */
export function instanceKey(productCode: string, instanceId: string): string {
  // JSON of the pair is injective: ("a", "bc") and ("ab", "c") differ.
  const encoded = JSON.stringify(['leasehold-instance-v1', productCode, instanceId])
  const bytes = createHash('sha256').update(encoded).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return dashed(hex(bytes))
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function dashed(digits: string): string {
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
