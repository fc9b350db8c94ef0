// Reads and verifies allotments: the seats of a license that one relay may give out by itself. What a lease of one is
// worth is relay-lease.ts.
import {
  ALLOTMENT_LIFE,
  ALLOTMENT_TYP,
  type AllotmentClaims,
  type AllotmentGrant,
} from '../contract/claims.ts'
import { isJsonObject, type JsonObject } from './json.ts'
import { jwsSteps } from './jws.ts'
import {
  type Check,
  count,
  days,
  flag,
  limits,
  longText,
  memberReader,
  seconds,
  text,
  texts,
} from './members.ts'
import { type Steps, verifySteps } from './steps.ts'
import { isBefore, type Moment } from './times.ts'
import { rawFromJwk, type TrustedKeys } from './trusted-keys.ts'
import { type JwsHeader, type Read, type Refused, refused, type Verified } from './verified.ts'

export interface AllotmentExpectation extends Moment {
  issuer: string
  /** Product code; null takes the product that the key belongs to. */
  product: string | null
  /** This relay; left out, any. */
  relayId?: string
  keys: TrustedKeys
  acceptRetired: boolean
  /** `any`: also one past its `exp`, to show it. */
  age: 'unexpired' | 'any'
}

const readGrant = memberReader<AllotmentGrant>({
  required: { customer_id: text, tier: text, features: texts, limits, grace_days: days },
  optional: { license_exp: seconds, org_name: longText, trial: flag, tenant_id: text },
  forbidden: ['quotas'],
})

const isObject: Check<JsonObject> = isJsonObject

type Outer = Omit<AllotmentClaims, 'cnf' | 'grant'> & { cnf: JsonObject; grant: JsonObject }

const readMembers = memberReader<Outer>({
  required: {
    iss: longText,
    aud: text,
    sub: text,
    jti: text,
    seq: count,
    license_id: text,
    seats: count,
    nbf: seconds,
    exp: seconds,
    cnf: isObject,
    grant: isObject,
  },
  optional: {},
  forbidden: ['tier', 'features', 'limits', 'quotas', 'nonce', 'status', 'action'],
})

/** The claims of a payload, by shape alone: no signature, no issuer, no time. */
export function readAllotmentClaims(payload: JsonObject): Read<AllotmentClaims> | Refused {
  const read = readMembers(payload)
  if (!read.ok) return read
  const { cnf, grant, ...claims } = read.claims
  // RFC 7800, section 3.2: exactly one key, by its value, and only its public half.
  const { jwk } = cnf
  if (Object.keys(cnf).length !== 1 || !rawFromJwk(jwk)) return refused('bad_member', 'cnf')
  const { x } = jwk as { x: string }
  const rights = readGrant(grant)
  if (!rights.ok) return refused(rights.reason, `grant.${rights.detail}`)
  const life = claims.exp - claims.nbf
  if (life <= 0 || life > ALLOTMENT_LIFE) return refused('bad_member', 'exp')
  return {
    ok: true,
    claims: { ...claims, cnf: { jwk: { kty: 'OKP', crv: 'Ed25519', x } }, grant: rights.claims },
  }
}

/**
 * Verifies an allotment (T4). Its `nbf` is not held against `now`: a clock that runs behind is no forgery (T7).
 */
export function* allotmentSteps(
  token: string,
  expected: AllotmentExpectation,
): Steps<Verified<AllotmentClaims, JwsHeader> | Refused> {
  const verified = yield* jwsSteps(token, { ...expected, typ: ALLOTMENT_TYP })
  if (!verified.ok) return verified
  const read = readAllotmentClaims(verified.payload)
  if (!read.ok) return read
  const { claims } = read
  if (claims.iss !== expected.issuer) return refused('wrong_issuer')
  if (expected.relayId !== undefined && claims.sub !== expected.relayId) return refused('wrong_instance')
  if (expected.age === 'unexpired' && !isBefore(claims.exp, expected)) return refused('expired')
  return { ok: true, claims, header: verified.header }
}

/** `allotmentSteps` with WebCrypto. */
export function verifyAllotment(
  token: string,
  expected: AllotmentExpectation,
): Promise<Verified<AllotmentClaims, JwsHeader> | Refused> {
  return verifySteps(allotmentSteps(token, expected))
}
