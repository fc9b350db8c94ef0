// Reads and verifies the license JWT: a lease on a license (T6). What state it leaves a product in is state.ts.
import { LICENSE_TYP, type LicenseClaims } from '../contract/claims.ts'
import type { JsonObject } from './json.ts'
import { jwsSteps } from './jws.ts'
import { endOfSeat } from './lease.ts'
import { days, flag, limits, longText, memberReader, quotas, seconds, text, texts } from './members.ts'
import { type Steps, verifySteps } from './steps.ts'
import { isBefore, isThrough, type Moment } from './times.ts'
import type { TrustedKeys } from './trusted-keys.ts'
import { type JwsHeader, type Read, type Refused, refused, type Verified } from './verified.ts'

/** How old a lease may be: not past `exp`, not past its grace (T8: refresh), or whatever age (to show or compare it). */
export type LeaseAge = 'unexpired' | 'within_grace' | 'any'

export interface LicenseJwtExpectation extends Moment {
  issuer: string
  /** Product code; null takes the product that the key belongs to. */
  product: string | null
  /** This instance: a JWT that names another is refused, one that names none is not (T3). */
  instanceId?: string
  keys: TrustedKeys
  acceptRetired: boolean
  age: LeaseAge
}

/** `limits` and `quotas` as two optional members: that exactly one is there is checked after. */
type AnyLimits = Omit<LicenseClaims, 'limits' | 'quotas'> &
  Partial<Record<'limits' | 'quotas', Record<string, number>>>

const readMembers = memberReader<AnyLimits>({
  required: {
    iss: longText,
    aud: text,
    sub: text,
    jti: text,
    iat: seconds,
    exp: seconds,
    license_id: text,
    tier: text,
    features: texts,
    grace_days: days,
  },
  optional: {
    limits,
    quotas,
    license_exp: seconds,
    in_grace: flag,
    instance_id: text,
    act: text,
    org_name: longText,
    trial: flag,
    refresh_url: longText,
    tenant_id: text,
    cred: text,
  },
  forbidden: ['nonce', 'status', 'action'],
})

/** The claims of a payload, by shape alone: no signature, no issuer, no time. */
export function readLicenseClaims(payload: JsonObject): Read<LicenseClaims> | Refused {
  const read = readMembers(payload)
  if (!read.ok) return read
  const { claims } = read
  if (claims.limits && claims.quotas) return refused('forbidden_member', 'quotas')
  if (!claims.limits && !claims.quotas) return refused('missing_member', 'limits')
  if (claims.exp < claims.iat) return refused('bad_member', 'exp')
  return { ok: true, claims: claims as LicenseClaims }
}

/** Verifies a license JWT (T3, T4, T6). `iat` is not held against `now`: a clock that runs behind is no forgery (T7). */
export function* licenseJwtSteps(
  token: string,
  expected: LicenseJwtExpectation,
): Steps<Verified<LicenseClaims, JwsHeader> | Refused> {
  const verified = yield* jwsSteps(token, { ...expected, typ: LICENSE_TYP })
  if (!verified.ok) return verified
  const read = readLicenseClaims(verified.payload)
  if (!read.ok) return read
  const { claims } = read
  if (claims.iss !== expected.issuer) return refused('wrong_issuer')
  if (
    expected.instanceId !== undefined &&
    claims.instance_id !== undefined &&
    claims.instance_id !== expected.instanceId
  ) {
    return refused('wrong_instance')
  }
  if (!isYoungEnough(claims, expected)) return refused('expired')
  return { ok: true, claims, header: verified.header }
}

/** `licenseJwtSteps` with WebCrypto. */
export function verifyLicenseJwt(
  token: string,
  expected: LicenseJwtExpectation,
): Promise<Verified<LicenseClaims, JwsHeader> | Refused> {
  return verifySteps(licenseJwtSteps(token, expected))
}

function isYoungEnough(claims: LicenseClaims, expected: LicenseJwtExpectation): boolean {
  switch (expected.age) {
    case 'unexpired':
      return isBefore(claims.exp, expected)
    case 'within_grace':
      return isThrough(endOfSeat(claims), expected)
    case 'any':
      return true
  }
}
