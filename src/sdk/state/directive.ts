// What a fresh directive does (T1): it replaces what was believed of status, action and time, and of nothing else.
import type { DirectiveClaims } from '../../contract/claims.ts'
import { isAhead } from '../grants/choose.ts'
import { afterDirective } from '../grants/rejection.ts'
import { MINUTE } from '../schedule/timing.ts'
import { now, nowSeconds, setFloor } from '../time/clock.ts'
import { chance, dueWithin, inform, type Turn, updateKept, warn } from './turn.ts'
import { chosenGrant } from './view.ts'

export function applyDirective(turn: Turn, directive: DirectiveClaims): void {
  const before = turn.state
  const { action, seq, reason, iat, status, license_id: id } = directive
  const { heard, rejections } = before
  turn.why = `the server said: ${wordsOf(directive)}`
  updateKept(turn, {
    time: setFloor(before.time, iat),
    rejections: afterDirective(rejections, directive),
    // The word is later than a rejection that it has lifted, even where it has set the clock back behind it.
    heard:
      status === 'unlicensed'
        ? heard
        : new Map(heard).set(id, Math.max(iat, heard.get(id) ?? 0, rejections[id ?? '']?.iat ?? 0)),
    action: { action, seq, reason, iat },
    lastFailure: null,
  })
  updateKept(turn, { lastContact: now(turn.state.time) })
  if (action !== 'none' || status === 'suspended' || status === 'revoked') {
    updateKept(turn, { entitlementHash: '' })
  }
  const was = before.action?.action ?? 'none'
  if (action !== was) {
    tellAction(turn, directive)
    // Acknowledged in the next heartbeat, which need not be hours away; a killed fleet need not answer at once.
    dueWithin(turn, 'heartbeat', MINUTE * chance(turn))
    if (action === 'none') dueWithin(turn, 'grant', 0)
  }
  tellRejection(turn, rejections, directive)
  const chosen = chosenGrant(turn.state)
  // A grant from a time that the server has taken back is replaced as soon as it can be.
  if (chosen && isAhead(chosen, nowSeconds(turn.state.time))) dueWithin(turn, 'grant', 0)
}

function tellAction(turn: Turn, { action, reason }: DirectiveClaims): void {
  const because = reason === '' ? '' : ` (${reason})`
  switch (action) {
    case 'kill':
      warn(turn, `The vendor has switched this instance off${because}: community tier`)
      break
    case 'downgrade':
      warn(turn, `The vendor has downgraded this instance${because}: community tier`)
      break
    case 'none':
      inform(turn, 'The vendor has cleared the action of this instance')
      break
  }
}

function tellRejection(turn: Turn, before: typeof turn.state.rejections, directive: DirectiveClaims): void {
  const id = directive.license_id
  if (id === null) return
  const was = Object.hasOwn(before, id) ? before[id] : undefined
  const is = Object.hasOwn(turn.state.rejections, id) ? turn.state.rejections[id] : undefined
  if (is && is.status !== was?.status) warn(turn, `The license was taken away: ${is.status} (${is.reason})`)
  if (was && !is) {
    inform(turn, 'The license is in force again')
    dueWithin(turn, 'grant', 0)
  }
}

function wordsOf({ status, action, reason }: DirectiveClaims): string {
  const because = reason === '' ? '' : ` (${reason})`
  return action === 'none' ? `${status}${because}` : `${action}, ${status}${because}`
}
