// Where the product stands with its license, read from the state: for refusals, the usage page and metrics. Decides nothing.
import { type EffectiveLimits, effectiveLimits } from '../../license/effective-limits.ts'
import { revokedReason, type Standing } from '../../license/messages.ts'
import { inOrder } from '../grants/choose.ts'
import { type Grant, graceDaysOf } from '../grants/grant.ts'
import { latest } from '../grants/rejection.ts'
import type { SdkState } from '../state/state.ts'
import { chosenGrant, effectiveGrant } from '../state/view.ts'
import { nowSeconds } from '../time/clock.ts'

/** The limits in force, each with its source. While the instance is switched off or downgraded, the product's own. */
export function effectiveOf(state: SdkState): EffectiveLimits {
  return effectiveLimits(effectiveGrant(state), state.config.community.limits, state.view.state)
}

/** The license that counts; without one, the one that ended last. */
export function shownGrant(state: SdkState): Grant | null {
  const ends = ({ window }: Grant) => window.graceUntil ?? Number.POSITIVE_INFINITY
  const held = inOrder(state.slots).sort((a, b) => ends(b) - ends(a))
  return chosenGrant(state) ?? held[0] ?? null
}

export function standingOf(state: SdkState): Standing {
  const grant = shownGrant(state)
  const { state: name } = state.view
  return {
    state: name,
    term: grant && { exp: grant.window.activeUntil, graceDays: graceDaysOf(grant) ?? 0 },
    invalidReason: name === 'INVALID' ? invalidReasonOf(state) : null,
    now: nowSeconds(state.time),
  }
}

/** In the reference's words where it has any, else a code. */
function invalidReasonOf(state: SdkState): string {
  if (state.installFault) return state.installFault.message
  const rejection = latest(state.rejections)
  if (rejection) return revokedReason(rejection.iat, rejection.status)
  const given = state.tried.find(({ step, outcome }) => step === 'envelope' && outcome === state.view.reason)
  return given?.detail ?? state.view.reason ?? 'unknown reason'
}
