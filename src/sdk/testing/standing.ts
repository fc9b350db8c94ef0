// The one license that the test server knows, and what it comes to now (T2, T6). Signs nothing, answers nothing.
import type { Action, DirectiveStatus } from '../../contract/claims.ts'
import type { ErrorCode } from '../../contract/errors.ts'
import { nextLease } from '../../license/lease.ts'
import type { TestLicense } from './license.ts'

export interface LicenseRecord extends TestLicense {
  id: string
  customer: string
  status: 'active' | 'suspended' | 'revoked'
}

export interface InstanceRecord {
  token: string | null
  /** Whether it has shown a proof of the license. */
  licensed: boolean
}

export interface ActionRecord {
  action: Action
  seq: number
  reason: string
}

export interface Granted {
  granted: true
  exp: number
  inGrace: boolean
  status: DirectiveStatus
}

export interface Denied {
  granted: false
  code: ErrorCode
  /** The word of activate and validate. */
  word: 'revoked' | 'expired'
  status: DirectiveStatus
  detail: string
  fix: string
}

export function licenseExp({ expiresAt }: Pick<TestLicense, 'expiresAt'>): number | null {
  if (expiresAt === null) return null
  const end = Date.parse(expiresAt)
  if (Number.isNaN(end)) throw new RangeError(`not a time: ${expiresAt}`)
  return Math.floor(end / 1000)
}

/** The license alone, whatever action the instance has to take. `now` in unix seconds. */
export function standingOf(license: LicenseRecord, now: number): Granted | Denied {
  if (license.status !== 'active') {
    return {
      granted: false,
      code: license.status === 'suspended' ? 'license_suspended' : 'license_revoked',
      word: 'revoked',
      status: license.status,
      detail: `The license is ${license.status}.`,
      fix: 'Ask your vendor.',
    }
  }
  const { leaseSeconds: tokenLife, graceDays } = license
  const lease = nextLease({ tokenLife, licenseExp: licenseExp(license), graceDays }, now)
  if (!lease.past) {
    const { exp, inGrace } = lease
    return { granted: true, exp, inGrace, status: inGrace ? 'in_grace' : 'active' }
  }
  return {
    granted: false,
    code: 'license_expired',
    word: 'expired',
    status: 'expired',
    detail: 'The license has expired and its grace is over.',
    fix: 'Renew the license; it works again from then on.',
  }
}

/** What an exchange, a refresh or an activation comes to: a killed instance is issued nothing (T3). */
export function sessionOf(license: LicenseRecord, { action }: ActionRecord, now: number): Granted | Denied {
  const standing = standingOf(license, now)
  if (action !== 'kill') return standing
  return {
    granted: false,
    code: 'instance_killed',
    word: 'revoked',
    status: standing.status,
    detail: 'The vendor has switched this instance off.',
    fix: 'Ask your vendor to clear the action of this instance.',
  }
}
