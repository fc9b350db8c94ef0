// Which grant counts: the resolution order between licenses, the newest signed word within one (T3).
import { stateWithin } from '../../license/state.ts'
import type { Grant } from './grant.ts'
import { isDead, type Rejections } from './rejection.ts'

/** At most one grant for each step of the resolution order, in that order. */
export interface Slots {
  static: Grant | null
  /** From the server, in this run or, through the cache, in an earlier one. */
  session: Grant | null
  /** From an offline answer. */
  activation: Grant | null
  envelope: Grant | null
  licenseKey: Grant | null
}

export const NO_GRANTS: Slots = {
  static: null,
  session: null,
  activation: null,
  envelope: null,
  licenseKey: null,
}

/** What stands against a grant. */
export interface Circumstances {
  rejections: Rejections
  /** Keys that a key set has revoked, and from when on that counts, in elapsed milliseconds. */
  revokedKeys: ReadonlyMap<string, number>
  elapsed: number
  /** Unix seconds. */
  now: number
}

export function inOrder(slots: Slots): Grant[] {
  const { static: fixed, session, activation, envelope, licenseKey } = slots
  return [fixed, session, activation, envelope, licenseKey].filter((grant) => grant !== null)
}

/** ACTIVE or GRACE, and nothing signed against it. */
export function isInForce(grant: Grant, at: Circumstances): boolean {
  if (isDead(grant, at.rejections)) return false
  const revokedFrom = at.revokedKeys.get(grant.kid)
  if (revokedFrom !== undefined && at.elapsed >= revokedFrom) return false
  return stateWithin(grant.window, at.now) !== 'EXPIRED'
}

/** The first in force; of its license, the one issued last. Null where nothing is in force. */
export function chooseGrant(slots: Slots, at: Circumstances): Grant | null {
  const living = inOrder(slots).filter((grant) => isInForce(grant, at))
  const [first] = living
  if (!first) return null
  return living.reduce(
    (best, grant) => (grant.licenseId === first.licenseId && grant.issuedAt > best.issuedAt ? grant : best),
    first,
  )
}

/** Seconds by which a grant may be dated ahead of the time that counts. */
const AHEAD = 300

/** What decides between two grants of one slot. */
type Order = Pick<Grant, 'issuedAt' | 'vouchedAt' | 'leaseExp' | 'relay'>

/**
 * Whether `candidate` may take the place of `current`: not if that was issued later (T3), unless it comes from a
 * future that a fresh directive has taken back. What the vendor signed since a relay's allotment takes the place of the
 * relay's lease while it is in force, whatever the relay's clock showed.
 */
export function mayReplace(current: Order | null, candidate: Order, now: number): boolean {
  if (current === null || candidate.issuedAt >= current.issuedAt || current.issuedAt > now + AHEAD)
    return true
  const isVendors = current.relay !== null && candidate.relay === null
  return isVendors && candidate.vouchedAt >= current.vouchedAt && (candidate.leaseExp ?? 0) > now
}

/** Whether a grant is dated in the future. */
export function isAhead(grant: Pick<Grant, 'issuedAt'>, now: number): boolean {
  return grant.issuedAt > now + AHEAD
}
