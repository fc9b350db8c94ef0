// Puts `license.explain()` together from the state.
import { stateWithin } from '../../license/state.ts'
import { inOrder, isInForce } from '../grants/choose.ts'
import type { Grant } from '../grants/grant.ts'
import { endOf } from '../state/notices.ts'
import { isAsking, requestOf } from '../state/requests.ts'
import { type SdkState, TASKS } from '../state/state.ts'
import { chosenGrant, circumstances, effectiveGrant } from '../state/view.ts'
import { isBehind, now, nowSeconds } from '../time/clock.ts'
import type {
  ExplainedFeature,
  ExplainedGrant,
  ExplainedLimit,
  Explanation,
  NextStep,
} from './explanation.ts'
import { textOf } from './text.ts'
import { todoOf } from './todo.ts'

const DAY = 86_400

export function explain(state: SdkState): Explanation {
  const chosen = chosenGrant(state)
  const { view, config, role } = state
  const graceEnd = chosen?.window.graceUntil ?? null
  const expiresAt = chosen ? endOf(state, chosen) : null
  const inGrace = view.state === 'GRACE' && graceEnd !== null
  const explanation: Omit<Explanation, 'text'> = {
    view,
    instanceId: config.instanceId,
    role,
    licenseId: chosen?.licenseId ?? null,
    customer: chosen?.customer ?? null,
    trial: chosen?.trial ?? false,
    relay: chosen?.relay ?? null,
    directives: config.directives,
    expiresAt: dateOf(expiresAt),
    graceEndsAt: dateOf(graceEnd),
    graceDaysLeft: inGrace ? Math.max(0, Math.ceil((graceEnd - nowSeconds(state.time)) / DAY)) : null,
    features: featuresOf(state),
    limits: limitsOf(state),
    grants: grantsOf(state, chosen),
    tried: state.tried,
    next: nextOf(state, chosen),
    todo: todoOf(state),
  }
  return { ...explanation, text: textOf(explanation) }
}

function featuresOf(state: SdkState): ExplainedFeature[] {
  const grant = effectiveGrant(state)
  return state.view.features.map((name) => ({
    name,
    origin: grant?.features.includes(name) ? grant.origin : 'community',
  }))
}

function limitsOf(state: SdkState): ExplainedLimit[] {
  const grant = effectiveGrant(state)
  return Object.entries(state.view.limits)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ({
      name,
      value,
      origin: grant && Object.hasOwn(grant.limits, name) ? grant.origin : grant ? 'default' : 'community',
    }))
}

function grantsOf(state: SdkState, chosen: Grant | null): ExplainedGrant[] {
  const at = circumstances(state)
  return inOrder(state.slots).map((grant) => {
    const { kind, origin, licenseId, tier, issuedAt, window } = grant
    const byDate = stateWithin(window, at.now)
    return {
      kind,
      origin,
      licenseId,
      tier,
      state: byDate === 'EXPIRED' || isInForce(grant, at) ? byDate : 'INVALID',
      counts: grant === chosen,
      issuedAt: isoOf(issuedAt * 1000),
      expiresAt: dateOf(grant.licenseExp ?? window.activeUntil),
    }
  })
}

/** What changes by itself, in its order. */
function nextOf(state: SdkState, chosen: Grant | null): NextStep[] {
  const at = now(state.time)
  const steps: { what: NextStep['what']; ms: number }[] = []
  if (isAsking(state)) {
    for (const task of TASKS) {
      const { dueAt } = state.tasks[task]
      if (dueAt === null || requestOf(state, task) === null) continue
      const wait = Math.max(dueAt, state.outage.until) - state.time.elapsed
      steps.push({ what: task === 'grant' ? 'refresh' : task, ms: at + Math.max(0, wait) })
    }
  }
  if (chosen) {
    const { activeUntil, graceUntil } = chosen.window
    const { licenseExp } = chosen
    const later = (end: number | null): end is number => end !== null && end * 1000 >= at
    if (later(activeUntil) && activeUntil !== licenseExp)
      steps.push({ what: 'lease_ends', ms: activeUntil * 1000 })
    if (later(licenseExp)) steps.push({ what: 'license_ends', ms: licenseExp * 1000 })
    if (later(graceUntil)) steps.push({ what: 'grace_ends', ms: graceUntil * 1000 })
  }
  if (isBehind(state.time)) steps.push({ what: 'clock_catches_up', ms: at })
  return steps.sort((a, b) => a.ms - b.ms).map(({ what, ms }) => ({ what, at: isoOf(ms) }))
}

function dateOf(seconds: number | null): string | null {
  return seconds === null ? null : isoOf(seconds * 1000)
}

/** RFC 3339; a time that is none any more is the last one there is. */
export function isoOf(ms: number): string {
  return new Date(Math.min(Math.max(ms, 0), 253_402_300_799_000)).toISOString()
}
