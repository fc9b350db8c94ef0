// The disk as another process has left it. A follower takes the leader's word whole; a leader takes nothing that is
// older than what the server has told itself (T3), whatever a disk did not write or gives back late.
import type { LicenseKeyUse } from '../../license/lease.ts'
import { mayReplace } from '../grants/choose.ts'
import type { Grant } from '../grants/grant.ts'
import { afterGrant, laterOf } from '../grants/rejection.ts'
import { adoptTime, nowSeconds } from '../time/clock.ts'
import { applyActivation } from './activation.ts'
import { useKey } from './key-use.ts'
import type { SdkState } from './state.ts'
import type { StoredState } from './stored.ts'
import { type Turn, update, updateKept } from './turn.ts'
import { chosenGrant } from './view.ts'

export function applyRead(turn: Turn, stored: StoredState, session: Grant | null): void {
  turn.why = 'the leading process has learned it'
  adoptStored(turn, stored)
  const { slots, time, role } = turn.state
  const isNew = session !== null && session.token !== slots.session?.token
  if (isNew && mayReplace(slots.session, session, nowSeconds(time))) {
    update(turn, {
      slots: { ...turn.state.slots, session },
      rejections: afterGrant(turn.state.rejections, session),
    })
  }
  if (role === 'follower' && chosenGrant(turn.state)) update(turn, { settled: true })
}

export function adoptStored(turn: Turn, stored: StoredState): void {
  const { state } = turn
  update(turn, {
    time: adoptTime(state.time, stored.time),
    shown: [...new Set([...state.shown, ...stored.shown])],
  })
  if (state.role === 'follower') adoptWhole(turn, stored, stored.rejections)
  else if (knowsLater(state, stored)) keepOwn(turn, stored)
  else {
    const since = stored.action?.iat ?? Number.NEGATIVE_INFINITY
    const own = Object.entries(state.rejections).filter(([, { iat }]) => iat >= since)
    adoptWhole(turn, stored, laterOf([...own, ...Object.entries(stored.rejections)]))
  }
  adoptKeyUse(turn, stored)
  // What was installed since the file was written still holds, and what was installed before it is no news.
  if (turn.state.installed) applyActivation(turn, turn.state.installed)
}

/** Whether the server's last word to this process came after the one that was stored. */
function knowsLater({ action, time }: SdkState, stored: StoredState): boolean {
  if (action === null) return false
  if (stored.action === null) return true
  // A floor that a directive has lowered makes what was dated before it incomparable: the lowering came later.
  const epochs = time.floorEpoch - stored.time.floor_epoch
  if (epochs !== 0) return epochs > 0
  const { iat, seq } = stored.action
  return action.iat > iat || (action.iat === iat && action.seq > seq)
}

function adoptWhole(turn: Turn, stored: StoredState, rejections: SdkState['rejections']): void {
  const { identity } = turn.state
  update(turn, {
    action: stored.action,
    appliedActivation: stored.activation ?? null,
    rejections,
    chain: { refreshToken: stored.refresh_token, refreshId: stored.refresh_id },
    identity:
      stored.instance_token === identity.token
        ? identity
        : { token: stored.instance_token, doubted: false, reprovedAt: identity.reprovedAt },
    credential: stored.credential,
    entitlementHash: stored.entitlement_hash,
  })
}

/**
 * The stored state is behind: it fills what is missing here, adds the rejections of which the server has not spoken since,
 * and is written anew.
 */
function keepOwn(turn: Turn, stored: StoredState): void {
  const { rejections, heard, chain, identity, credential } = turn.state
  const news = Object.entries(stored.rejections).filter(([id, { iat }]) => iat > (heard.get(id) ?? -1))
  updateKept(turn, {
    rejections: laterOf([...Object.entries(rejections), ...news]),
    chain:
      chain.refreshToken === null
        ? { refreshToken: stored.refresh_token, refreshId: chain.refreshId ?? stored.refresh_id }
        : chain,
    identity: identity.token === null ? { ...identity, token: stored.instance_token } : identity,
    credential: credential ?? stored.credential,
  })
}

function adoptKeyUse(turn: Turn, { key_use: stored }: StoredState): void {
  const { licenseKey, role } = turn.state
  if (!licenseKey || stored?.hash !== licenseKey.hash) return
  const own = licenseKey.use.confirmedAt
  const isLater = role !== 'follower' && own !== null && own > (stored.confirmed_at ?? 0)
  const use: LicenseKeyUse = {
    firstUsedAt: Math.min(stored.first_used_at, licenseKey.use.firstUsedAt),
    confirmedAt: isLater ? own : stored.confirmed_at,
    graceDays: isLater ? licenseKey.use.graceDays : stored.grace_days,
  }
  useKey(turn, use, update)
}
