// What the product may do now, derived from the state alone; and how two such views differ.
import { stateWithin } from '../../license/state.ts'
import { type Circumstances, chooseGrant, inOrder } from '../grants/choose.ts'
import type { Grant, Limits } from '../grants/grant.ts'
import { isDead, latest } from '../grants/rejection.ts'
import type { LicenseChange, LicenseSource, LicenseView } from '../public/license.ts'
import { isDenied, now, nowSeconds } from '../time/clock.ts'
import type { SdkState } from './state.ts'

export function circumstances(state: SdkState): Circumstances {
  const { rejections, revokedKeys, time } = state
  return { rejections, revokedKeys, elapsed: time.elapsed, now: nowSeconds(time) }
}

/** The grant that counts, whether or not the instance may use it. */
export function chosenGrant(state: SdkState): Grant | null {
  return chooseGrant(state.slots, circumstances(state))
}

/** The grant that gives rights now; null while killed, downgraded, or the clock is not to be trusted. */
export function effectiveGrant(state: SdkState): Grant | null {
  return isMasked(state) ? null : chosenGrant(state)
}

export function isMasked(state: SdkState): boolean {
  return (state.action !== null && state.action.action !== 'none') || isDenied(state.time)
}

export function deriveView(state: SdkState): LicenseView {
  const { community } = state.config
  const chosen = chosenGrant(state)
  const grant = isMasked(state) ? null : chosen
  return {
    ...standing(state, chosen),
    source: grant ? sourceOf(grant) : 'community',
    tier: grant ? grant.tier : community.tier,
    features: featuresOf(community.features, grant),
    limits: limitsOf(community.limits, grant),
    killed: state.action?.action === 'kill',
    downgraded: state.action?.action === 'downgrade',
  }
}

const sourceOf = (grant: Grant): LicenseSource => grant.origin

function featuresOf(community: readonly string[], grant: Grant | null): string[] {
  return [...new Set([...community, ...(grant?.features ?? [])])].sort()
}

function limitsOf(community: Limits, grant: Grant | null): Limits {
  if (!grant) return community
  // Under quotas, a limit that is not named is unlimited, the default notwithstanding.
  return grant.unnamed === 'unlimited' ? grant.limits : { ...community, ...grant.limits }
}

function standing(state: SdkState, chosen: Grant | null): Pick<LicenseView, 'state' | 'reason'> {
  const masked = maskReason(state)
  if (chosen) {
    const at = nowSeconds(state.time)
    const window = stateWithin(chosen.window, at)
    if (window === 'ACTIVE') return { state: 'ACTIVE', reason: masked }
    const ended = chosen.licenseExp !== null && at > chosen.licenseExp
    return { state: 'GRACE', reason: masked ?? (ended ? 'license_expired' : 'lease_expired') }
  }
  return { ...withoutGrant(state), ...(masked ? { reason: masked } : {}) }
}

function withoutGrant(state: SdkState): Pick<LicenseView, 'state' | 'reason'> {
  const held = inOrder(state.slots)
  if (state.installFault) return { state: 'INVALID', reason: state.installFault.reason }
  const rejection = latest(state.rejections)
  if (rejection) {
    return { state: rejection.status === 'expired' ? 'EXPIRED' : 'INVALID', reason: rejection.reason }
  }
  if (held.some((grant) => state.revokedKeys.has(grant.kid))) {
    return { state: 'INVALID', reason: 'key_revoked' }
  }
  if (held.some((grant) => !isDead(grant, state.rejections))) {
    return { state: 'EXPIRED', reason: 'license_expired' }
  }
  const [invalid] = state.invalid
  if (invalid !== undefined) return { state: 'INVALID', reason: invalid }
  return { state: 'ABSENT', reason: state.lastFailure?.code ?? 'no_license' }
}

function maskReason(state: SdkState): string | null {
  if (state.action?.action === 'kill') return 'instance_killed'
  if (state.action?.action === 'downgrade') return 'instance_downgraded'
  return isDenied(state.time) ? 'clock_behind' : null
}

const MEMBERS = ['state', 'source', 'tier', 'features', 'limits', 'killed', 'downgraded', 'reason'] as const

/** The change from one view to another; null where they say the same. */
export function compareViews(
  before: LicenseView,
  after: LicenseView,
  why: string,
  state: SdkState,
): LicenseChange | null {
  const changed = MEMBERS.filter((name) => !isSame(before[name], after[name]))
  // Why there is no license may change with each attempt; that changes nothing for the product.
  const silent = changed.length === 1 && changed[0] === 'reason' && after.state === 'ABSENT'
  if (changed.length === 0 || silent) return null
  const names = new Set([...Object.keys(before.limits), ...Object.keys(after.limits)])
  return {
    before,
    after,
    changed,
    featuresAdded: after.features.filter((name) => !before.features.includes(name)),
    featuresRemoved: before.features.filter((name) => !after.features.includes(name)),
    limitsChanged: [...names].filter((name) => before.limits[name] !== after.limits[name]).sort(),
    why,
    at: new Date(now(state.time)).toISOString(),
  }
}

function isSame(a: LicenseView[keyof LicenseView], b: LicenseView[keyof LicenseView]): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const one = Object.entries(a)
  const other = new Map(Object.entries(b))
  return (
    one.length === other.size && one.every(([name, value]) => other.has(name) && other.get(name) === value)
  )
}
