// Reads and verifies license keys. How long one holds without the server is lease.ts.
import type { LicenseKeyPayload } from '../contract/claims.ts'
import type { JsonObject } from './json.ts'
import { flag, memberReader, seconds, text } from './members.ts'
import { type Steps, verifySteps } from './steps.ts'
import { isThrough, type Moment } from './times.ts'
import { type RawExpectation, twoPartSteps } from './two-part.ts'
import { type RawHeader, type Read, type Refused, refused, type Verified } from './verified.ts'

export interface LicenseKeyExpectation extends RawExpectation, Moment {
  /** `any` where the key names a license and its dates are decided by the row, or by lease.ts with the grace. */
  age: 'unexpired' | 'any'
}

const readMembers = memberReader<LicenseKeyPayload>({
  required: {
    product: text,
    tier: text,
    customer_id: text,
    license_id: text,
    offline: flag,
    issued_at: seconds,
    expires_at: seconds,
  },
  optional: {},
  forbidden: ['nonce', 'features', 'limits'],
})

/**
 * The members of a payload, by shape alone: no signature, no time. `expires_at` may lie before `issued_at`: the key of
 * a license past its end is a credential all the same.
 */
export function readLicenseKey(payload: JsonObject): Read<LicenseKeyPayload> | Refused {
  return readMembers(payload)
}

/** Verifies a license key; unexpired means through `expires_at`. */
export function* licenseKeySteps(
  token: string,
  expected: LicenseKeyExpectation,
): Steps<Verified<LicenseKeyPayload, RawHeader> | Refused> {
  const verified = yield* twoPartSteps(token, expected)
  if (!verified.ok) return verified
  const read = readLicenseKey(verified.payload)
  if (!read.ok) return read
  if (expected.age === 'unexpired' && !isThrough(read.claims.expires_at, expected)) return refused('expired')
  return { ok: true, claims: read.claims, header: { kid: verified.key.kid } }
}

/** `licenseKeySteps` with WebCrypto. */
export function verifyLicenseKey(
  token: string,
  expected: LicenseKeyExpectation,
): Promise<Verified<LicenseKeyPayload, RawHeader> | Refused> {
  return verifySteps(licenseKeySteps(token, expected))
}
