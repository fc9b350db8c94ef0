// Hints of the live channel: each is a reason to ask, never a word (T1). Many come to one request, and those that turn out
// to be empty to one in five seconds, however many are forged.

import { clampRetryAfter } from '../schedule/timing.ts'
import { channelUrl } from '../sync/url.ts'
import type { Outcome, ServerAnswer } from './events.ts'
import { isAsking, requestOf, serverOf } from './requests.ts'
import type { SdkState } from './state.ts'
import { dueIn, inform, type Turn, update } from './turn.ts'

/** What is to be asked for. A grant's answer tells all that a heartbeat's does. */
export type Want = 'grant' | 'heartbeat'

export interface Hints {
  want: Want | null
  /** Until then none is followed, in elapsed milliseconds. */
  notBefore: number
  /** How many requests do not count: the first of all, and one after a signed change. */
  free: 0 | 1
}

export const NO_HINTS: Hints = { want: null, notBefore: 0, free: 0 }

/** Where the live channel is. One that is not the server's own is not used: a credential would go there (T1). */
export function learnChannel(turn: Turn, { sync }: ServerAnswer): void {
  const { config, sync: known } = turn.state
  if (sync === undefined || sync === known || !config.sync) return
  update(turn, { sync })
  if (sync !== null && channelUrl(sync, serverOf(turn.state)) === null) {
    inform(turn, `Live channel of another origin is not used: ${sync}`)
  }
}

/** Milliseconds from a request that a hint has caused to the next one. */
const STEP = 5000

/** `first`: a channel has been opened that cannot tell what came before; once a process. */
export function applyHint(turn: Turn, want: Want, first: boolean): void {
  const { hints } = turn.state
  const wanted = hints.want === 'grant' ? 'grant' : want
  update(turn, { hints: { ...hints, want: wanted, free: first ? 1 : hints.free } })
}

/**
 * After a signed change the next hint may follow at once, also if another request has brought the change before its own
 * hint came. A server that asks for patience is given it.
 */
export function judgeHint(turn: Turn, before: SdkState, outcome: Outcome): void {
  if (outcome.kind === 'unreachable') return
  const { view, action, time, hints } = turn.state
  const isSigned = outcome.directive !== null || outcome.grant !== null
  const isNew = view !== before.view || action?.seq !== before.action?.seq
  const allowed: Hints = isSigned && isNew ? { ...hints, notBefore: time.elapsed, free: 1 } : hints
  const patience = clampRetryAfter(outcome.retryAfter)
  const waiting: Hints = { ...allowed, notBefore: time.elapsed + patience, free: 0 }
  update(turn, { hints: patience > 0 ? waiting : allowed })
}

/** Makes the request due once none is in flight. */
export function followHint(turn: Turn): void {
  const { hints, inFlight, time, outage } = turn.state
  const { want, notBefore, free } = hints
  if (want === null || inFlight !== null || !isAsking(turn.state)) return
  if (time.elapsed < notBefore && free === 0) return
  const task = requestOf(turn.state, want) === null ? 'heartbeat' : want
  // Who can say that can be asked, too.
  update(turn, {
    hints: { want: null, notBefore: free > 0 ? notBefore : time.elapsed + STEP, free: 0 },
    outage: { ...outage, until: 0 },
  })
  if (requestOf(turn.state, task) !== null) dueIn(turn, task, 0)
}
