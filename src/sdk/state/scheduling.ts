// When each task runs again, after what came of it.
import type { Grant } from '../grants/grant.ts'
import {
  clampInterval,
  HOUR,
  jittered,
  type Lease,
  untilForced,
  untilRefresh,
  untilRetry,
} from '../schedule/timing.ts'
import { now } from '../time/clock.ts'
import type { ServerAnswer } from './events.ts'
import { requestOf } from './requests.ts'
import type { SdkState, TaskKind } from './state.ts'
import { chance, dueIn, setTask, type Turn, update } from './turn.ts'
import { chosenGrant } from './view.ts'

/** The lease of a grant, if it is one. */
function leaseOf(state: SdkState, grant: Grant | null): Lease | null {
  if (!grant || grant.leaseExp === null) return null
  return {
    life: (grant.leaseExp - grant.issuedAt) * 1000,
    left: grant.leaseExp * 1000 - now(state.time),
  }
}

/** After a refresh that succeeded, or at the start under a static token. */
export function scheduleRefresh(turn: Turn, first: boolean): void {
  const random = [chance(turn), chance(turn)] as const
  const { state } = turn
  dueIn(
    turn,
    'grant',
    untilRefresh({
      interval: state.intervals.refresh,
      lease: leaseOf(state, chosenGrant(state)),
      first,
      random,
    }),
  )
}

/** Whether a grant that has just come would have to be renewed at once. */
export function isLate(state: SdkState, grant: Grant): boolean {
  const lease = leaseOf(state, grant)
  return lease !== null && untilForced(lease) <= 0
}

export function scheduleHeartbeat(turn: Turn, first: boolean): void {
  const { state } = turn
  // Whoever has lost its rights and cannot ask for them otherwise hears of them by heartbeat, hourly.
  const asks = state.view.state === 'INVALID' || state.view.killed || state.action?.action === 'kill'
  const hourly = asks && requestOf(state, 'grant') === null
  const interval = hourly ? Math.min(HOUR, state.intervals.heartbeat) : state.intervals.heartbeat
  const random = [chance(turn), chance(turn)] as const
  dueIn(turn, 'heartbeat', untilRefresh({ interval, lease: null, first: first && !hourly, random }))
}

/** The server was not reached: it is left alone for the retry step, by every task. */
export function scheduleOutage(turn: Turn, task: TaskKind): void {
  const failures = turn.state.outage.failures + 1
  const wait = untilRetry(failures, null, chance(turn))
  update(turn, { outage: { failures, until: turn.state.time.elapsed + wait } })
  scheduleRetry(turn, task, wait)
}

/** The server is in trouble, or asked for patience. */
export function scheduleTrouble(turn: Turn, task: TaskKind, { retryAfter }: ServerAnswer): void {
  const failures = turn.state.tasks[task].failures + 1
  scheduleRetry(turn, task, untilRetry(failures, retryAfter, chance(turn)))
}

/** The server has said no: it is asked again hourly. */
export function scheduleDenied(turn: Turn, task: TaskKind): void {
  scheduleRetry(turn, task, jittered(HOUR, chance(turn)))
}

export function scheduleRetry(turn: Turn, task: TaskKind, wait: number): void {
  setTask(turn, task, { failures: turn.state.tasks[task].failures + 1 })
  dueIn(turn, task, wait)
}

/** Intervals that the server sent, within their bounds (T1); a refresh may only come sooner than the vendor chose. */
export function learnIntervals(turn: Turn, answer: ServerAnswer): void {
  const heartbeat = clampInterval(answer.heartbeatInterval)
  const refresh = clampInterval(answer.refreshInterval)
  const { intervals, config } = turn.state
  update(turn, {
    intervals: {
      heartbeat: heartbeat ?? intervals.heartbeat,
      refresh: refresh === null ? intervals.refresh : Math.min(refresh, config.refreshInterval),
    },
  })
}
