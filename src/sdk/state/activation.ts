// What an offline answer does (T3): like a fresh directive it says the action in force, and it brings a grant. The newest
// signed word wins, so one that came too late does nothing.
import { isAhead, mayReplace } from '../grants/choose.ts'
import { afterGrant, isDead } from '../grants/rejection.ts'
import { nowSeconds } from '../time/clock.ts'
import type { Activated, SdkState } from './state.ts'
import { tried } from './tried.ts'
import { inform, type Turn, update, updateKept } from './turn.ts'

/** Whether the server has said something later, of the instance or of the license. */
export function isSuperseded(
  { action, rejections, slots, time }: Pick<SdkState, 'action' | 'rejections' | 'slots' | 'time'>,
  { word, grant }: Activated,
): boolean {
  const at = nowSeconds(time)
  if (action !== null && !isAhead({ issuedAt: action.iat }, at)) {
    if (action.iat > word.iat || (action.iat === word.iat && action.seq > word.seq)) return true
  }
  return isDead(grant, rejections) || !mayReplace(slots.activation, grant, at)
}

/** An answer that was applied before brings its grant alone: the action may have changed since. */
export function applyActivation(turn: Turn, activated: Activated): void {
  const { state } = turn
  const { word, grant } = activated
  const slots = { ...state.slots, activation: grant }
  if (state.appliedActivation === word.nonce) {
    update(turn, { installed: activated, slots })
    return
  }
  if (isSuperseded(state, activated)) return
  const { action, seq, reason, iat, nonce } = word
  turn.why = 'an offline activation was installed'
  inform(turn, `An offline activation was installed: action ${action}`)
  updateKept(turn, {
    installed: activated,
    appliedActivation: nonce,
    slots,
    rejections: afterGrant(state.rejections, grant),
    action: { action, seq, reason, iat },
    lastFailure: null,
  })
  tried(turn, 'activation', 'verified')
}
