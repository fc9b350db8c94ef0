// Reads and verifies the seat that a relay gave out by itself: the relay's signature, under a key that the vendor's
// signature over the allotment names. The relay invents no right: all of them stand in the allotment (T4).
import { type AllotmentClaims, RELAY_LEASE_TYP, type RelayLeaseClaims } from '../contract/claims.ts'
import { verifyAllotment } from './allotment.ts'
import { checkCompactJws, MAX_TOKEN_LENGTH, readCompactJws } from './compact-jws.ts'
import { type JsonObject, parseJsonObject } from './json.ts'
import { type Check, memberReader, seconds, text } from './members.ts'
import { verifySteps } from './steps.ts'
import { isBefore, type Moment } from './times.ts'
import { importRelayKey, rawFromJwk, type TrustedKeys } from './trusted-keys.ts'
import { type JwsHeader, type Read, type Refused, refused, type Verified } from './verified.ts'

export interface RelayLeaseExpectation extends Moment {
  /** Of the allotment. */
  issuer: string
  /** Product code. */
  product: string
  /** This instance; left out, any. */
  instanceId?: string
  /** The vendor's. */
  keys: TrustedKeys
  acceptRetired: boolean
  /** `any`: also one past its `exp`, to show it. */
  age: 'unexpired' | 'any'
}

/** A lease with what it is a lease of; the rights are the allotment's `grant`. */
export interface VerifiedRelayLease extends Verified<RelayLeaseClaims, JwsHeader> {
  allotment: AllotmentClaims
  /** The vendor's key that signed the allotment. */
  allotmentKid: string
}

const token: Check<string> = (value): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= MAX_TOKEN_LENGTH

const readMembers = memberReader<RelayLeaseClaims>({
  required: { iss: text, aud: text, sub: text, allotment: token, iat: seconds, exp: seconds },
  optional: {},
  forbidden: [
    'tier',
    'features',
    'limits',
    'quotas',
    'grant',
    'cnf',
    'seats',
    'license_id',
    'nonce',
    'status',
    'action',
  ],
})

/** The claims of a payload, by shape alone: no signature, no allotment, no time. */
export function readRelayLeaseClaims(payload: JsonObject): Read<RelayLeaseClaims> | Refused {
  const read = readMembers(payload)
  if (!read.ok) return read
  return read.claims.iat < read.claims.exp ? read : refused('bad_member', 'exp')
}

/**
 * Verifies a relay lease up to the vendor's keys. The key that signed it stands in its own payload, so that is read
 * first; nothing in it is believed before the vendor's signature over the allotment and then the relay's hold. `kid`
 * must be the thumbprint of the allotment's key. A lease that outlives its allotment is refused, not cut.
 */
export async function verifyRelayLease(
  lease: string,
  expected: RelayLeaseExpectation,
): Promise<VerifiedRelayLease | Refused> {
  const jws = readCompactJws(lease, RELAY_LEASE_TYP)
  if (!jws.ok) return jws
  const unproven = parseJsonObject(jws.payload)
  if (!unproven.ok) return unproven
  const inside = unproven.value.allotment
  if (inside === undefined) return refused('missing_member', 'allotment')
  if (!token(inside)) return refused('bad_member', 'allotment')
  const { issuer, product, keys, acceptRetired, age, now, clockTolerance = 0 } = expected
  const allotment = await verifyAllotment(inside, {
    issuer,
    product,
    keys,
    acceptRetired,
    age,
    now,
    clockTolerance,
  })
  if (!allotment.ok) return allotment
  const raw = rawFromJwk(allotment.claims.cnf.jwk)
  const key = raw && (await importRelayKey(raw))
  if (!key?.ok) return refused('bad_key', 'cnf')
  if (key.key.kid !== jws.header.kid) return refused('unknown_key', jws.header.kid)
  const checked = await verifySteps(checkCompactJws(jws, key.key))
  if (!checked.ok) return checked
  const read = readRelayLeaseClaims(checked.payload)
  if (!read.ok) return read
  const { claims } = read
  if (claims.iss !== allotment.claims.sub) return refused('wrong_issuer')
  if (claims.aud !== allotment.claims.aud) return refused('wrong_audience')
  if (expected.instanceId !== undefined && claims.sub !== expected.instanceId)
    return refused('wrong_instance')
  if (claims.exp > allotment.claims.exp) return refused('bad_member', 'exp')
  if (age === 'unexpired' && !isBefore(claims.exp, expected)) return refused('expired')
  return {
    ok: true,
    claims,
    header: jws.header,
    allotment: allotment.claims,
    allotmentKid: allotment.header.kid,
  }
}
