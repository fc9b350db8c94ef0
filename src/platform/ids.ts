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
const BITS_30 = 2 ** 30
const BITS_32 = 2 ** 32

// The last id given: only the order within one millisecond depends on it, so losing it is harmless. Its 74 random bits
// are kept as the 12 before the variant, the 30 after it, and the last 32.
let lastMilliseconds = -1
let time = ''
let high = 0
let middle = 0
let low = 0

/**
 * UUID version 7 of RFC 9562. Ids made by one process in the same millisecond increase (section 6.2, method 2:
 * the random part grows by a random step). Throws a RangeError for a date outside 1970 to 10889.
 */
export function uuidv7(now: Date, random: RandomBytes = randomBytes): string {
  return dashed(nextDigits(now, random))
}

/** The public id of something new. */
export const newPublicId = (prefix: IdPrefix, now: Date, random: RandomBytes = randomBytes): string =>
  `${prefix}_${nextDigits(now, random)}`

function nextDigits(now: Date, random: RandomBytes): string {
  const milliseconds = now.getTime()
  if (milliseconds === lastMilliseconds) step(random)
  else startAt(milliseconds, random)
  const version = hex4(0x7000 | high)
  const variant = hex4(0x8000 | (middle >>> 16))
  return `${time}${version}${variant}${hex4(middle & 0xffff)}${hex8(low)}`
}

/** 73 of the 74 random bits: the free top bit leaves room for 2^41 steps within a millisecond. */
function startAt(milliseconds: number, random: RandomBytes): void {
  if (!(milliseconds >= 0 && milliseconds <= MAX_MILLISECONDS)) throw new RangeError('date outside UUIDv7')
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0, j = 0] = random(10)
  lastMilliseconds = milliseconds
  time = milliseconds.toString(16).padStart(12, '0')
  high = ((a & 1) << 10) | (b << 2) | (c >>> 6)
  middle = ((c & 0x3f) << 24) | (d << 16) | (e << 8) | f
  low = ((g << 24) | (h << 16) | (i << 8) | j) >>> 0
}

/** By 1 to 2^32. */
function step(random: RandomBytes): void {
  const [a = 0, b = 0, c = 0, d = 0] = random(4)
  low += (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) + 1
  if (low < BITS_32) return
  low -= BITS_32
  middle += 1
  if (middle < BITS_30) return
  middle = 0
  high += 1
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const hex4 = (word: number): string => `${HEX[word >>> 8]}${HEX[word & 0xff]}`
const hex8 = (word: number): string => `${hex4(word >>> 16)}${hex4(word & 0xffff)}`

/** `lic_` and 32 lower-case hex digits. Throws a TypeError when `uuid` is not a UUID. */
export function publicId(prefix: IdPrefix, uuid: string): string {
  const lower = uuid.toLowerCase()
  if (!UUID.test(lower)) throw new TypeError(`not a UUID for ${prefix}_`)
  return `${prefix}_${lower.slice(0, 8)}${lower.slice(9, 13)}${lower.slice(14, 18)}${lower.slice(19, 23)}${lower.slice(24)}`
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

/** Of 32 digits. */
function dashed(digits: string): string {
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`
}
