// Reads and verifies the 24-hour entitlement token: a signed list of features and limits for one instance.
import { ENTITLEMENT_TOKEN_LIFE, type EntitlementTokenPayload } from '../contract/claims.ts'
import type { JsonObject } from './json.ts'
import { limits, longText, matching, memberReader, seconds, text, texts } from './members.ts'
import { isThrough, type Moment } from './times.ts'
import { type RawExpectation, verifyTwoPart } from './two-part.ts'
import { type RawHeader, type Read, type Refused, refused, type Verified } from './verified.ts'

export interface EntitlementTokenExpectation extends RawExpectation, Moment {
  issuer: string
  instanceId: string
}

const readMembers = memberReader<EntitlementTokenPayload>({
  required: {
    iss: longText,
    product: text,
    instance_id: text,
    license_id: text,
    tier: text,
    features: texts,
    limits,
    nonce: matching(/^[0-9a-f]{32}$/),
    issued_at: seconds,
    expires_at: seconds,
  },
  optional: {},
  forbidden: ['customer_id'],
})

/** The members of a payload, by shape alone: no signature, no issuer, no time. */
export function readEntitlementToken(payload: JsonObject): Read<EntitlementTokenPayload> | Refused {
  const read = readMembers(payload)
  if (!read.ok) return read
  const life = read.claims.expires_at - read.claims.issued_at
  return life > 0 && life <= ENTITLEMENT_TOKEN_LIFE ? read : refused('bad_member', 'expires_at')
}

/** Verifies an entitlement token of this instance; it holds through `expires_at`, with no grace. */
export async function verifyEntitlementToken(
  token: string,
  expected: EntitlementTokenExpectation,
): Promise<Verified<EntitlementTokenPayload, RawHeader> | Refused> {
  const verified = await verifyTwoPart(token, expected)
  if (!verified.ok) return verified
  const read = readEntitlementToken(verified.payload)
  if (!read.ok) return read
  const { claims } = read
  if (claims.iss !== expected.issuer) return refused('wrong_issuer')
  if (claims.instance_id !== expected.instanceId) return refused('wrong_instance')
  if (!isThrough(claims.expires_at, expected)) return refused('expired')
  return { ok: true, claims, header: { kid: verified.key.kid } }
}
