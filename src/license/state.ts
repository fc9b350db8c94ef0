// The license state machine, exact to the second (reference, section 4). Pure; who is rejected and why is the caller's.
import type { LicenseClaims } from '../contract/claims.ts'
import type { LicenseState } from './states.ts'
import { DAY, isThrough } from './times.ts'
import type { UnixSeconds } from './verified.ts'

export { LICENSE_STATES, type LicenseState } from './states.ts'

/** When a license ends. */
export interface Term {
  /** The last second of the license itself; null if perpetual. */
  exp: UnixSeconds | null
  graceDays: number
}

/** The last seconds of ACTIVE and of GRACE; null never comes. */
export interface StateWindow {
  activeUntil: UnixSeconds | null
  graceUntil: UnixSeconds | null
}

/** ACTIVE through `exp`, GRACE through `exp` plus `graceDays` of 86 400 s. */
export function windowOf({ exp, graceDays }: Term): StateWindow {
  return { activeUntil: exp, graceUntil: exp === null ? null : exp + graceDays * DAY }
}

/** The state of something verified at `now`, in unix seconds. */
export function stateWithin(
  { activeUntil, graceUntil }: StateWindow,
  now: UnixSeconds,
): 'ACTIVE' | 'GRACE' | 'EXPIRED' {
  if (activeUntil === null || isThrough(activeUntil, { now })) return 'ACTIVE'
  return graceUntil === null || isThrough(graceUntil, { now }) ? 'GRACE' : 'EXPIRED'
}

/**
 * INVALID for a rejection, else ABSENT without a license, else ACTIVE through `exp`, GRACE through `exp` plus
 * `graceDays` of 86 400 s, else EXPIRED. `now` in unix seconds.
 */
export function licenseState(
  term: Term | null,
  now: UnixSeconds,
  invalidReason?: string | null,
): LicenseState {
  if (invalidReason !== undefined && invalidReason !== null) return 'INVALID'
  if (term === null) return 'ABSENT'
  return stateWithin(windowOf(term), now)
}

/** The term of a lease: a lease that reaches past the license's own end is in grace from that end on (T6). */
export function leaseTerm(lease: Pick<LicenseClaims, 'exp' | 'license_exp' | 'grace_days'>): Term {
  return { exp: Math.min(lease.exp, lease.license_exp ?? lease.exp), graceDays: lease.grace_days }
}
