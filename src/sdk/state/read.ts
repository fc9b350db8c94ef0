// The disk as another process has left it: the leader's word, taken over whole.
import { mayReplace } from '../grants/choose.ts'
import { type Grant, licenseKeyGrant } from '../grants/grant.ts'
import { adoptTime, nowSeconds } from '../time/clock.ts'
import type { StoredState } from './stored.ts'
import { type Turn, update } from './turn.ts'
import { chosenGrant } from './view.ts'

export function applyRead(turn: Turn, stored: StoredState, session: Grant | null): void {
  turn.why = 'the leading process has learned it'
  adoptStored(turn, stored)
  const { slots, time, role } = turn.state
  const isNew = session !== null && session.token !== slots.session?.token
  if (isNew && mayReplace(slots.session, session, nowSeconds(time))) {
    update(turn, { slots: { ...turn.state.slots, session } })
  }
  if (role === 'follower' && chosenGrant(turn.state)) update(turn, { settled: true })
}

export function adoptStored(turn: Turn, stored: StoredState): void {
  const { state } = turn
  const { identity } = state
  update(turn, {
    time: adoptTime(state.time, stored.time),
    action: stored.action,
    rejections: stored.rejections,
    chain: { refreshToken: stored.refresh_token, refreshId: stored.refresh_id },
    identity:
      stored.instance_token === identity.token
        ? identity
        : { token: stored.instance_token, doubted: false, reprovedAt: identity.reprovedAt },
    credential: stored.credential,
    entitlementHash: stored.entitlement_hash,
    shown: [...new Set([...state.shown, ...stored.shown])],
  })
  adoptKeyUse(turn, stored)
}

function adoptKeyUse(turn: Turn, { key_use: stored }: StoredState): void {
  const { licenseKey, slots, config } = turn.state
  if (!licenseKey || stored?.hash !== licenseKey.hash) return
  const use = {
    firstUsedAt: stored.first_used_at,
    confirmedAt: stored.confirmed_at,
    graceDays: stored.grace_days,
  }
  const { token, kid, payload } = licenseKey
  update(turn, {
    licenseKey: { ...licenseKey, use },
    slots: { ...slots, licenseKey: licenseKeyGrant(token, kid, payload, use, config.tiers) },
  })
}
