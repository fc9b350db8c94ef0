// The payload of an envelope on its way to the signature: strict reading, and the one text that it has. Signs nothing;
// signRaw does (T4).
import { ENVELOPE_UNLIMITED, type EnvelopePayload } from '../contract/claims.ts'
import { readEnvelope } from '../license/envelope.ts'
import type { JsonObject } from '../license/json.ts'
import { type Read, type Refused, refused } from '../license/verified.ts'

/** What a verifier would fill in, a minter has to say. */
const ALWAYS = ['exp', 'gracePeriodDays', 'iat', 'licenseId', 'limits', 'tenantId'] as const

/** The order of the reference, with the optional members at their alphabetical places. */
const ORDER = [
  'exp',
  'features',
  'gracePeriodDays',
  'iat',
  'instanceId',
  'label',
  'licenseId',
  'limits',
  'tenantId',
  'tier',
] as const satisfies readonly (keyof EnvelopePayload)[]

/**
 * A payload that every verifier reads the same way. A limit is a whole number from 0 to `ENVELOPE_UNLIMITED`: readers
 * with 32 bits would take a larger one for something else.
 */
export function readEnvelopeToSign(payload: JsonObject): Read<EnvelopePayload> | Refused {
  for (const name of ALWAYS) {
    if (payload[name] === undefined || payload[name] === null) return refused('missing_member', name)
  }
  for (const name of ORDER) {
    // JSON would drop it, and the caller would not know.
    if (Object.hasOwn(payload, name) && payload[name] === undefined) return refused('bad_member', name)
  }
  const read = readEnvelope(payload, { tenantId: undefined, now: 0 })
  if (!read.ok) return refused(read.reason, read.message)
  for (const [name, limit] of Object.entries(read.claims.limits)) {
    if (limit < 0 || limit > ENVELOPE_UNLIMITED) return refused('bad_member', `limits.${name}`)
  }
  // One that has ended is signed too: its grace may still run.
  return read
}

/**
 * Compact JSON: members in the order of the reference, limits by code point, what is not there left out. The same
 * payload gives the same text whatever the order in which it was put together.
 */
export function writeEnvelope(payload: EnvelopePayload): string {
  const limits = Object.entries(payload.limits).sort(([a], [b]) => (a < b ? -1 : 1))
  const inOrder = ORDER.map((name) => [name, name === 'limits' ? Object.fromEntries(limits) : payload[name]])
  return JSON.stringify(Object.fromEntries(inOrder))
}
