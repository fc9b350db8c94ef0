// The text of every refusal that a license gives cause for, to the letter of the reference (section 4), and the bodies
// that carry them. Pure words: decides nothing, and what it is told is not checked here.
import type { Term } from './state.ts'
import type { LicenseState } from './states.ts'
import { DAY } from './times.ts'
import type { UnixSeconds } from './verified.ts'

/** Where a product stands with its license, as far as a refusal explains it (T13). @internal */
export interface Standing {
  state: LicenseState
  /** Of the license in force, or of the one that has run out; null without one. */
  term: Term | null
  /** Why the license was rejected; only INVALID shows it. */
  invalidReason?: string | null
  now: UnixSeconds
}

/** A limit that stood in the way. */
export interface CapReached {
  limit: string
  /** Usage as it would be: what was asked for is counted in. */
  current: number
  cap: number
}

/** The body of the 403. */
export interface CapReachedBody extends CapReached {
  error: typeof CAP_REACHED
  state: LicenseState
  message: string
}

export const CAP_REACHED = 'license cap reached'

/** Why every license is INVALID in a product that was given no key to check one with. @internal */
export const NO_PUBLIC_KEY = 'license public key not configured'

/** Why a cap refuses, and what to do about it. @internal */
export function capMessage(standing: Standing, { limit, current, cap }: CapReached): string {
  const { state, invalidReason } = standing
  switch (state) {
    case 'ABSENT':
      return `No license installed: default tier applies (cap = ${cap} for ${limit}). Install a license to raise this.`
    case 'ACTIVE':
      return `License cap reached: ${limit} = ${cap}. Current usage is ${current}. Contact your vendor to raise the cap.`
    case 'GRACE':
      return `License expired ${daysAgo(standing)} day(s) ago and is in its grace period (ends in ${daysOfGrace(standing)} days). Cap unchanged at ${cap}. Renew before grace ends.`
    case 'EXPIRED':
      return `License expired ${daysAgo(standing)} days ago: system reverted to default tier (cap = ${cap} for ${limit}). Current usage is ${current}. Renew the license to lift the cap.`
    case 'INVALID':
      return `License rejected (${invalidReason ?? 'unknown reason'}): default tier applies (cap = ${cap} for ${limit}). Fix the license to raise this.`
  }
}

/** The same without a cap, for a page that shows the license. Null where there is nothing to explain: ACTIVE. @internal */
export function stateMessage(standing: Standing): string | null {
  const { state, invalidReason } = standing
  switch (state) {
    case 'ABSENT':
      return 'No license installed: default tier applies. Install a license to raise its caps.'
    case 'ACTIVE':
      return null
    case 'GRACE':
      return `License expired ${daysAgo(standing)} day(s) ago and is in its grace period (ends in ${daysOfGrace(standing)} days). Caps unchanged. Renew before grace ends.`
    case 'EXPIRED':
      return `License expired ${daysAgo(standing)} days ago: system reverted to default tier. Renew the license to lift the caps.`
    case 'INVALID':
      return `License rejected (${invalidReason ?? 'unknown reason'}): default tier applies. Fix the license to raise its caps.`
  }
}

/** What a 403 says: `error`, `limit`, `current`, `cap`, `state`, `message`, in this order. @internal */
export function capReachedBody(standing: Standing, { limit, current, cap }: CapReached): CapReachedBody {
  const message = capMessage(standing, { limit, current, cap })
  return { error: CAP_REACHED, limit, current, cap, state: standing.state, message }
}

/** 422: days of retention, under the name that the request gives them, over their cap. @internal */
export function retentionMessage(name: string, days: number, cap: number): string {
  return `retention ${name}=${days} exceeds license cap ${cap}`
}

/** 422: how many artefacts are kept, over its cap. @internal */
export function artefactCountMessage(count: number, cap: number): string {
  return `jarRetentionCount ${count} exceeds license cap ${cap}`
}

/** Why an envelope is INVALID whose license was taken back by a later signed word (T3). @internal */
export function revokedReason(
  at: UnixSeconds,
  status: 'revoked' | 'suspended' | 'expired' = 'revoked',
): string {
  return `license ${status} at ${instant(at)}`
}

/** Why an envelope is refused, in the order in which it is checked. @internal */
export const ENVELOPE_REFUSALS = {
  form: 'Invalid license token format: expected payload.signature',
  size: 'License token is too large',
  base64: 'License token is not valid base64',
  signature: 'License signature verification failed',
  payload: 'Failed to parse license payload',
  required: (member: string) => `${member} is required`,
  uuid: (found: string) => `licenseId is not a valid UUID: ${found}`,
  tenant: (found: string, expected: string) =>
    `License tenantId '${found}' does not match server tenant '${expected}'`,
  member: (name: string) => `${name} is not valid`,
  foreign: (name: string) => `${name} is not a member of a license`,
  grace: 'gracePeriodDays must be >= 0',
  instance: 'License belongs to another instance',
  older: (at: UnixSeconds) => `License was issued before the one in force (${instant(at)})`,
  expired: (exp: UnixSeconds, graceDays: number) =>
    `License expired at ${instant(exp)} (grace period ${graceDays} days)`,
} as const

/** ISO 8601 in UTC, without a fraction: whole seconds have none. */
function instant(at: UnixSeconds): string {
  return new Date(at * 1000).toISOString().replace('.000Z', 'Z')
}

/** Whole days since the license's own end. */
function daysAgo({ term, now }: Standing): number {
  return term?.exp == null ? 0 : Math.max(0, Math.floor((now - term.exp) / DAY))
}

function daysOfGrace(standing: Standing): number {
  return Math.max(0, (standing.term?.graceDays ?? 0) - daysAgo(standing))
}
