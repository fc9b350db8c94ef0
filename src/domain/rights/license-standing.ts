// What a license's row says of it at a moment: in force, in grace, or why not. Pure.
import type { DirectiveStatus } from '../../contract/claims.ts'
import { endOfSeat, nextLease } from '../../license/lease.ts'
import { fromUnixSeconds, unixSeconds } from '../../platform/time.ts'
import type { LicenseFacts } from './license-facts.ts'

export type DenialReason = 'license_suspended' | 'license_revoked' | 'license_expired'

export type Standing =
  | { inForce: true; status: Extract<DirectiveStatus, 'active' | 'in_grace'>; exp: number; inGrace: boolean }
  | {
      inForce: false
      status: Extract<DirectiveStatus, 'suspended' | 'revoked' | 'expired'>
      reason: DenialReason
    }

/**
 * Fixed precedence: revoked, suspended, then time. `exp` is the end, in unix seconds, of a lease issued now (T6).
 */
export function standingOf(
  license: Pick<LicenseFacts, 'status' | 'expiresAt' | 'graceDays'>,
  tokenLife: number,
  now: Date,
): Standing {
  if (license.status === 'revoked') return { inForce: false, status: 'revoked', reason: 'license_revoked' }
  if (license.status === 'suspended')
    return { inForce: false, status: 'suspended', reason: 'license_suspended' }
  const lease = nextLease(
    {
      tokenLife,
      licenseExp: license.expiresAt ? unixSeconds(license.expiresAt) : null,
      graceDays: license.graceDays,
    },
    unixSeconds(now),
  )
  if (lease.past) return { inForce: false, status: 'expired', reason: 'license_expired' }
  return {
    inForce: true,
    status: lease.inGrace ? 'in_grace' : 'active',
    exp: lease.exp,
    inGrace: lease.inGrace,
  }
}

/** Until when a lease that ends at `exp` (unix seconds) holds a seat of the license, its grace included (T10). */
export function seatEnd(
  { expiresAt, graceDays }: Pick<LicenseFacts, 'expiresAt' | 'graceDays'>,
  exp: number,
): Date {
  const own = expiresAt ? { license_exp: unixSeconds(expiresAt) } : {}
  return fromUnixSeconds(endOfSeat({ exp, grace_days: graceDays, ...own }))
}
