// What was tried, with its last outcome: one entry for each step, for explain().
import type { TriedStep } from '../explain/explanation.ts'
import { now } from '../time/clock.ts'
import type { RequestKind } from './events.ts'
import { type Turn, update } from './turn.ts'

/** What was tried: a request that brings a license, or the step itself. */
type Tried = RequestKind | 'envelope' | 'activation'

export function tried(turn: Turn, request: Tried, outcome: string, detail?: string): void {
  const step = stepOf(request)
  if (step === null) return
  const at = new Date(now(turn.state.time)).toISOString()
  const entry: TriedStep = { step, outcome, at, ...(detail === undefined ? {} : { detail }) }
  update(turn, { tried: [...turn.state.tried.filter((other) => other.step !== step), entry] })
}

function stepOf(request: Tried): TriedStep['step'] | null {
  switch (request) {
    case 'exchange':
      return 'api_key'
    case 'activate':
    case 'validate':
      return 'license_key'
    case 'refresh':
    case 'envelope':
    case 'activation':
      return request
    case 'register':
    case 'heartbeat':
      return null
  }
}
