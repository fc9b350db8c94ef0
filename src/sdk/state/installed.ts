// An envelope that a customer installs while the product runs: its place among the grants, and what is wrong with it.
import type { Installed } from './events.ts'
import { tried } from './tried.ts'
import { type Turn, update } from './turn.ts'
import { chosenGrant } from './view.ts'

/** It takes the place of the envelope option; the resolution order between the grants stays (choose.ts). */
export function applyInstalled(turn: Turn, { envelope, fault, why, tried: step }: Installed): void {
  turn.why = why
  if (envelope !== undefined) update(turn, { slots: { ...turn.state.slots, envelope } })
  if (fault !== undefined) update(turn, { installFault: fault })
  tried(turn, 'envelope', step.outcome, step.detail)
}

/** What was wrong with an install is old news once a license is in force. */
export function forgetFault(turn: Turn): void {
  if (turn.state.installFault && chosenGrant(turn.state)) update(turn, { installFault: null })
}
