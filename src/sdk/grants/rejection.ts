// Verified rejections (T2, T3): which license the server took away, when it said so, and which grants that ends.
import type { DirectiveClaims } from '../../contract/claims.ts'
import type { Grant } from './grant.ts'

export interface Rejection {
  status: 'suspended' | 'revoked' | 'expired'
  /** Code, `license_suspended` and the like. */
  reason: string
  /** Unix seconds of the directive. */
  iat: number
}

/** By license id. */
export type Rejections = Readonly<Record<string, Rejection>>

/** An instance meets few licenses in its life; the newest rejections are kept. */
const MOST = 32

/** What a fresh directive makes of the rejections: it adds one, lifts one, or says nothing of any. */
export function afterDirective(rejections: Rejections, directive: DirectiveClaims): Rejections {
  const { license_id: licenseId, status, reason, iat } = directive
  if (licenseId === null) return rejections
  switch (status) {
    case 'suspended':
    case 'revoked':
    case 'expired':
      return newest({
        ...rejections,
        [licenseId]: { status, reason: reasonOf(status, reason), iat },
      })
    case 'active':
    case 'in_grace':
    // All seats are taken of a license that is in force.
    case 'limit_reached':
      return without(rejections, licenseId)
    // Ignorance lifts as little as it takes.
    case 'unlicensed':
      return rejections
  }
}

/** A grant that the vendor signed at or before its license's rejection is dead, wherever it comes from (T3). */
export function isDead(grant: Pick<Grant, 'licenseId' | 'vouchedAt'>, rejections: Rejections): boolean {
  const rejection = Object.hasOwn(rejections, grant.licenseId) ? rejections[grant.licenseId] : undefined
  return rejection !== undefined && grant.vouchedAt <= rejection.iat
}

/** A later grant lifts the rejection. */
export function afterGrant(
  rejections: Rejections,
  grant: Pick<Grant, 'licenseId' | 'vouchedAt'>,
): Rejections {
  if (!Object.hasOwn(rejections, grant.licenseId) || isDead(grant, rejections)) return rejections
  return without(rejections, grant.licenseId)
}

/** What is known from several sides, and of the same license the later word. */
export function laterOf(known: readonly [string, Rejection][]): Rejections {
  const sorted = known.toSorted(([, one], [, other]) => one.iat - other.iat)
  return newest(Object.fromEntries(sorted))
}

/** The one that was said last. */
export function latest(rejections: Rejections): (Rejection & { licenseId: string }) | null {
  let found: (Rejection & { licenseId: string }) | null = null
  for (const [licenseId, rejection] of Object.entries(rejections)) {
    if (found === null || rejection.iat >= found.iat) found = { ...rejection, licenseId }
  }
  return found
}

/** The action's reason may stand in the directive; a rejection's own code is better than none. */
function reasonOf(status: Rejection['status'], reason: string): string {
  return reason.startsWith('license_') ? reason : `license_${status}`
}

function without(rejections: Rejections, licenseId: string): Rejections {
  if (!Object.hasOwn(rejections, licenseId)) return rejections
  return Object.fromEntries(Object.entries(rejections).filter(([id]) => id !== licenseId))
}

function newest(rejections: Record<string, Rejection>): Rejections {
  const sorted = Object.entries(rejections).sort(([, one], [, other]) => other.iat - one.iat)
  return Object.fromEntries(sorted.slice(0, MOST))
}
