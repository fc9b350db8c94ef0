// T6, two clocks: how long a lease runs, when it counts as grace, when a seat and a license key run out. Pure.
import type { LicenseClaims, LicenseKeyPayload } from '../contract/claims.ts'
import { DAY } from './times.ts'
import type { UnixSeconds } from './verified.ts'

/** How long a license key that was never confirmed holds from its first use, in days (T6). */
export const UNCONFIRMED_DAYS = 7

export interface LeaseTerms {
  /** Seconds that the product's leases run. */
  tokenLife: number
  /** The license's own end; null if perpetual. */
  licenseExp: UnixSeconds | null
  graceDays: number
}

/** The next lease, or `past`: the license and its grace are over since `endedAt`, to be denied as expired. */
export type NextLease =
  | { past: false; exp: UnixSeconds; inGrace: boolean }
  | { past: true; endedAt: UnixSeconds }

/** The lease to issue at `now`: up to the end of grace, marked once the license's own end has passed (T6). */
export function nextLease({ tokenLife, licenseExp, graceDays }: LeaseTerms, now: UnixSeconds): NextLease {
  const exp = now + tokenLife
  if (licenseExp === null) return { past: false, exp, inGrace: false }
  const endedAt = licenseExp + graceDays * DAY
  if (now > endedAt) return { past: true, endedAt }
  return { past: false, exp: Math.min(exp, endedAt), inGrace: now > licenseExp }
}

/** The last second of a lease with its grace: `exp + grace_days`, never later than `license_exp + grace_days`. */
export function endOfSeat(lease: Pick<LicenseClaims, 'exp' | 'license_exp' | 'grace_days'>): UnixSeconds {
  return Math.min(lease.exp, lease.license_exp ?? lease.exp) + lease.grace_days * DAY
}

/** What an offline verifier remembers of a license key. */
export interface LicenseKeyUse {
  firstUsedAt: UnixSeconds
  /** The last time the server granted it; null if never. */
  confirmedAt: UnixSeconds | null
  graceDays: number
}

/**
 * The last second for which a license key holds without the server. One minted offline is its own lease; any other
 * is a credential, bounded by its last confirmation, or else by 7 days (at most the grace) from first use (T6).
 */
export function endOfLicenseKey(
  key: Pick<LicenseKeyPayload, 'offline' | 'expires_at'>,
  { firstUsedAt, confirmedAt, graceDays }: LicenseKeyUse,
): UnixSeconds {
  const end = key.expires_at + graceDays * DAY
  if (key.offline) return end
  if (confirmedAt !== null) return Math.min(end, confirmedAt + graceDays * DAY)
  return Math.min(end, firstUsedAt + Math.min(UNCONFIRMED_DAYS, graceDays) * DAY)
}
