// Reads and verifies the offline answer: a license JWT and the action in force, for the one request that it names (T1,
// T3). Whether that request is still open, and what installing comes to, is the caller's.
import {
  ACTIVATION_LIFE,
  ACTIVATION_TYP,
  type ActivationClaims,
  type LicenseClaims,
} from '../contract/claims.ts'
import type { JsonObject } from './json.ts'
import { verifyJws } from './jws.ts'
import { verifyLicenseJwt } from './license-jwt.ts'
import { count, longText, matching, memberReader, oneOf, seconds, text, textOrEmpty } from './members.ts'
import { isBefore, type Moment } from './times.ts'
import type { TrustedKeys } from './trusted-keys.ts'
import { type JwsHeader, type Read, type Refused, refused, type Verified } from './verified.ts'

export interface ActivationExpectation extends Moment {
  issuer: string
  /** Product code. */
  product: string
  instanceId: string
  keys: TrustedKeys
  /** `any` for an answer that was installed before: only its lease ends then. */
  age: 'unexpired' | 'any'
}

export interface VerifiedActivation extends Verified<ActivationClaims, JwsHeader> {
  /** Of the license JWT in `grant`. */
  license: LicenseClaims
  /** The key that signed it. */
  grantKid: string
}

const GRANT = /^eyJ[\w-]*\.[\w-]+\.[\w-]+$/
const LONGEST_GRANT = 65_536

const readMembers = memberReader<ActivationClaims>({
  required: {
    iss: longText,
    aud: text,
    instance_id: text,
    license_id: text,
    nonce: matching(/^[A-Za-z0-9_-]{16,64}$/),
    iat: seconds,
    exp: seconds,
    action: oneOf(['none', 'downgrade'] as const),
    seq: count,
    reason: textOrEmpty,
    grant: (value): value is string =>
      typeof value === 'string' && value.length <= LONGEST_GRANT && GRANT.test(value),
  },
  optional: {},
  forbidden: ['tier', 'status', 'sub'],
})

/** The claims of a payload, by shape alone: no signature, no issuer, no time, and the grant unopened. */
export function readActivationClaims(payload: JsonObject): Read<ActivationClaims> | Refused {
  const read = readMembers(payload)
  if (!read.ok) return read
  const life = read.claims.exp - read.claims.iat
  return life > 0 && life <= ACTIVATION_LIFE ? read : refused('bad_member', 'exp')
}

/**
 * Verifies an answer and the license JWT in it, which has to be of the same license, instance and second. Keys that have
 * retired hold, as for every offline grant (T4). Refuses `bad_grant` for a license JWT that does not fit.
 */
export async function verifyActivation(
  token: string,
  expected: ActivationExpectation,
): Promise<VerifiedActivation | Refused> {
  const verified = await verifyJws(token, { ...expected, typ: ACTIVATION_TYP, acceptRetired: true })
  if (!verified.ok) return verified
  const read = readActivationClaims(verified.payload)
  if (!read.ok) return read
  const { claims } = read
  if (claims.iss !== expected.issuer) return refused('wrong_issuer')
  if (claims.instance_id !== expected.instanceId) return refused('wrong_instance')
  if (expected.age === 'unexpired' && !isBefore(claims.exp, expected)) return refused('expired')
  const grant = await verifyLicenseJwt(claims.grant, { ...expected, acceptRetired: true, age: 'any' })
  if (!grant.ok) return refused('bad_grant', grant.reason)
  const { license_id: licenseId, instance_id: instanceId, iat } = grant.claims
  if (licenseId !== claims.license_id) return refused('bad_grant', 'license_id')
  if (instanceId !== claims.instance_id) return refused('bad_grant', 'instance_id')
  if (iat !== claims.iat) return refused('bad_grant', 'iat')
  return { ok: true, claims, header: verified.header, license: grant.claims, grantKid: grant.header.kid }
}
