// The inside reasons for which a session is denied, mapped once to what the outside is told (T2, T13).
import type { DirectiveStatus } from '../../../contract/claims.ts'
import type { ErrorCode } from '../../../contract/errors.ts'
import type { SeatAnswer } from '../../../contract/instance-api.ts'
import { rfc3339 } from '../../../platform/time.ts'
import type { SessionDenial } from './session.ts'

export interface DenialTerms {
  /** Of an exchange or refresh: 403, or 401 where a new proof of license is needed. */
  code: ErrorCode
  /** Of activate and validate: clients obey these words. */
  status: Exclude<SeatAnswer['status'], 'active' | 'valid'>
  reason: string
  /** Signed only from a row that says so (T2). */
  directive: DirectiveStatus
  detail: string
  fix: string
  facts?: Record<string, unknown>
}

/** Exhaustive: a new reason does not compile until it is mapped. */
export function denialTerms(denial: SessionDenial): DenialTerms {
  switch (denial.reason) {
    case 'license_suspended':
      return {
        code: 'license_suspended',
        status: 'revoked',
        reason: 'license_suspended',
        directive: 'suspended',
        detail: 'The license is suspended.',
        fix: 'Ask your vendor to reinstate it; it works again from then on.',
      }
    case 'license_revoked':
      return {
        code: 'license_revoked',
        status: 'revoked',
        reason: 'license_revoked',
        directive: 'revoked',
        detail: 'The license was revoked.',
        fix: 'Ask your vendor for a new license.',
      }
    case 'license_expired': {
      const { expiresAt, graceDays } = denial.license
      const ended = expiresAt ? rfc3339(expiresAt) : 'earlier'
      return {
        code: 'license_expired',
        status: 'expired',
        reason: 'license_expired',
        directive: 'expired',
        detail: `The license expired at ${ended} and its grace of ${graceDays} days is over.`,
        fix: 'Renew the license; it works again from then on.',
        facts: { expired_at: ended, grace_days: graceDays },
      }
    }
    case 'instance_killed':
      return {
        code: 'instance_killed',
        status: 'revoked',
        reason: 'instance_killed',
        directive: denial.standing.status,
        detail: denial.instance.actionReason
          ? `The vendor has switched this instance off: ${denial.instance.actionReason}`
          : 'The vendor has switched this instance off.',
        fix: 'Ask your vendor to clear the action of this instance.',
      }
    case 'key_revoked':
      return {
        code: 'license_key_revoked',
        status: 'revoked',
        reason: 'license_key_revoked',
        directive: denial.standing.inForce ? 'unlicensed' : denial.standing.status,
        detail: 'This license key was revoked; the license itself may be in force.',
        fix: 'Ask your vendor for the license key that replaces it.',
      }
    case 'key_retired':
      return {
        code: 'license_key_retired',
        status: 'limit_reached',
        reason: 'license_key_retired',
        directive: 'unlicensed',
        detail: 'This license key was replaced: it keeps the seats that it holds and takes no new one.',
        fix: 'Activate with the license key that replaces it.',
      }
    case 'instance_limit':
      return {
        code: 'instance_limit_reached',
        status: 'limit_reached',
        reason: 'instance_limit_reached',
        directive: 'limit_reached',
        detail: `All ${denial.limit} seats of the license are taken.`,
        fix: 'Deactivate an instance that is no longer used, or ask your vendor for more seats.',
        facts: { limit: denial.limit, current: denial.current },
      }
    case 'seat_churn':
      return {
        code: 'seat_churn',
        status: 'limit_reached',
        reason: 'seat_churn',
        directive: 'limit_reached',
        detail: `The license met ${denial.current} new instances within 30 days; ${denial.limit} are allowed.`,
        fix: 'Keep the instance id of an installation across restarts, or ask your vendor to raise seat_churn.',
        facts: { limit: denial.limit, current: denial.current },
      }
    case 'seat_ended':
      return {
        code: 'session_ended',
        status: 'limit_reached',
        reason: 'seat_ended',
        directive: 'unlicensed',
        detail: 'The seat of this instance was ended.',
        fix: 'Activate again, or exchange the API key again.',
      }
  }
}
