// The one reducer: (state, event) → state and effects. Pure: time and chance are part of what goes in.

import { inOrder } from '../grants/choose.ts'
import { adoptTime, advance, isBehind, raiseFloor } from '../time/clock.ts'
import { applyActivation } from './activation.ts'
import { applyAnswer } from './answered.ts'
import { saveCache } from './caching.ts'
import type { Effect } from './effects.ts'
import type { TimedEvent } from './events.ts'
import { applyHint, followHint, judgeHint } from './hints.ts'
import { applyInstalled, forgetFault } from './installed.ts'
import { datesNotAhead } from './key-use.ts'
import { announceCache, noticeClock, noticeEnds } from './notices.ts'
import { applyOpened } from './opened.ts'
import { applyRead } from './read.ts'
import { isAsking, nextRequest, requestOf, SAVE_FLOOR } from './requests.ts'
import { FIRST_SAVE, type SdkState, TASKS } from './state.ts'
import { dueIn, dueWithin, setTask, type Turn, update, updateKept } from './turn.ts'
import { compareViews, deriveView } from './view.ts'

/** Until a write that failed is tried again, milliseconds. */
const SAVE_RETRY = 60_000

/** How long a grant outlives the revocation of its key: the time that a new one may take to arrive. */
const REVOKED_KEY_DELAY = 60_000

export interface Reduced {
  state: SdkState
  effects: Effect[]
}

export function reduce(before: SdkState, event: TimedEvent): Reduced {
  const turn: Turn = {
    state: { ...before, time: advance(before.time, event.at) },
    effects: [],
    why: 'time passed',
  }
  if (before.role === 'stopped') return { state: before, effects: [] }
  apply(turn, event)
  forgetFault(turn)
  raiseByGrants(turn, before)
  datesNotAhead(turn)
  noticeClock(turn, isBehind(turn.state.time))
  showView(turn, before)
  noticeEnds(turn)
  if (event.type === 'answered') judgeHint(turn, before, event.outcome)
  changeHands(turn, before)
  followHint(turn)
  send(turn)
  endAsking(turn)
  save(turn)
  return { state: turn.state, effects: turn.effects }
}

function apply(turn: Turn, event: TimedEvent): void {
  const { state } = turn
  switch (event.type) {
    case 'remembered':
      update(turn, { time: adoptTime(state.time, event.time) })
      break
    case 'opened':
      applyOpened(turn, event)
      break
    case 'answered':
      if (event.sent.term === state.term) applyAnswer(turn, event.sent, event.outcome)
      break
    case 'read':
      applyRead(turn, event.stored, event.session)
      break
    case 'activation':
      applyActivation(turn, event.activated)
      break
    case 'tick':
      break
    case 'role':
      applyRole(turn, event.role)
      break
    case 'not_sent':
      if (event.term === state.term) update(turn, { inFlight: null })
      break
    case 'chained':
      updateKept(turn, { chain: { ...state.chain, refreshId: event.refreshId } })
      break
    case 'installed':
      applyInstalled(turn, event)
      break
    case 'keys_revoked':
      applyRevokedKeys(turn, event.kids)
      break
    case 'key_set':
      updateKept(turn, {})
      break
    case 'save_failed':
      applySaveFailed(turn, event.what)
      break
    case 'asked':
      applyAsked(turn)
      break
    case 'hinted':
      applyHint(turn, event.want, event.first)
      break
    case 'start_deadline':
      if (!state.settled) announceCache(turn)
      update(turn, { settled: true })
      break
    case 'released':
      applyReleased(turn)
      break
    case 'stopped':
      update(turn, { role: 'stopped', inFlight: null })
      break
  }
}

function applyRevokedKeys(turn: Turn, kids: readonly string[]): void {
  const { revokedKeys, slots, time } = turn.state
  const fresh = kids.filter((kid) => !revokedKeys.has(kid))
  if (fresh.length === 0) return
  turn.why = 'the key that signed the license was revoked'
  const from = time.elapsed + REVOKED_KEY_DELAY
  update(turn, { revokedKeys: new Map([...revokedKeys, ...fresh.map((kid) => [kid, from] as const)]) })
  if (inOrder(slots).some((grant) => fresh.includes(grant.kid))) dueIn(turn, 'grant', 0)
}

function applyReleased(turn: Turn): void {
  const { slots, licenseKey } = turn.state
  turn.why = 'the seat was given back'
  updateKept(turn, {
    slots: { ...slots, session: null },
    licenseKey: licenseKey ? { ...licenseKey, use: { ...licenseKey.use, confirmedAt: null } } : null,
  })
}

function applyRole(turn: Turn, role: SdkState['role']): void {
  const was = turn.state.role
  if (was === role) return
  update(turn, { role })
  if (role === 'follower') update(turn, { inFlight: null, term: turn.state.term + 1 })
  // A disk that works again holds older things than memory does.
  if (was === 'alone' && role === 'leader') {
    updateKept(turn, {})
    saveCache(turn)
  }
  if (was !== 'follower') return
  // The former leader is gone: ask as after a start.
  for (const task of TASKS) dueIn(turn, task, 0)
}

function applySaveFailed(turn: Turn, what: 'state' | 'cache'): void {
  const { time, saveDueAt, cacheUnsaved } = turn.state
  update(turn, {
    saveDueAt: Math.min(saveDueAt, time.elapsed + SAVE_RETRY),
    cacheUnsaved: cacheUnsaved || what === 'cache',
  })
}

/** `refreshNow`: at once, whatever the schedule; a request in flight is joined. */
function applyAsked(turn: Turn): void {
  if (!isAsking(turn.state)) return
  update(turn, { outage: { ...turn.state.outage, until: 0 } })
  const asked = (['grant', 'heartbeat'] as const).filter((task) => requestOf(turn.state, task) !== null)
  for (const task of asked) if (turn.state.inFlight !== task) dueIn(turn, task, 0)
  update(turn, { asked })
}

/** A verified grant raises the floor. */
function raiseByGrants(turn: Turn, before: SdkState): void {
  let { time } = turn.state
  for (const grant of inOrder(turn.state.slots)) {
    if (!inOrder(before.slots).includes(grant)) time = raiseFloor(time, grant.vouchedAt)
  }
  update(turn, { time })
}

/** The view follows; one event per change. */
function showView(turn: Turn, before: SdkState): void {
  const view = deriveView(turn.state)
  const change = compareViews(before.view, view, turn.why, turn.state)
  update(turn, { view: change || view.reason !== before.view.reason ? view : before.view })
  if (change && before.settled) turn.effects.push({ type: 'change', change })
  if (turn.state.settled && !before.settled) turn.effects.push({ type: 'settled' })
}

/** What decides may have changed hands: the API key's turn, after a static token has ended or a kill was cleared. */
function changeHands(turn: Turn, before: SdkState): void {
  const was = requestOf(before, 'grant')
  const is = requestOf(turn.state, 'grant')
  if (before.settled && is !== null && is !== was && is !== 'validate') dueWithin(turn, 'grant', 0)
}

function send(turn: Turn): void {
  const next = nextRequest(turn.state)
  if (next === null) return
  update(turn, { inFlight: next.task })
  setTask(turn, next.task, { dueAt: null })
  turn.effects.push({ type: 'send', ...next })
}

/** Asked for is what is in flight or goes out next; a server that is left alone has nothing to say now. */
function endAsking(turn: Turn): void {
  const { asked, inFlight, tasks, outage, time } = turn.state
  if (asked.length === 0) return
  // A kill, or another process in the lead, may have ended what was still to be asked.
  const maySend = isAsking(turn.state) && outage.until <= time.elapsed
  const open = asked.filter(
    (task) =>
      inFlight === task ||
      (maySend &&
        requestOf(turn.state, task) !== null &&
        (tasks[task].dueAt ?? Number.POSITIVE_INFINITY) <= time.elapsed),
  )
  if (open.length === asked.length) return
  update(turn, { asked: open })
  if (open.length === 0) turn.effects.push({ type: 'asked_done' })
}

/** Soon after the start, then from time to time; each minute while the floor is all that tells the time (T7). */
function nextSave(time: SdkState['time']): number {
  const step = isBehind(time) || time.elapsed < FIRST_SAVE ? FIRST_SAVE : SAVE_FLOOR
  return (Math.floor(time.elapsed / step) + 1) * step
}

/** What has changed, what could not be written before, and the floor from time to time. */
function save(turn: Turn): void {
  const { dirty, time, role, saveDueAt, cacheUnsaved } = turn.state
  if (!dirty && time.elapsed < saveDueAt) return
  // Only the leader writes; what a follower has changed was the leader's word.
  update(turn, { dirty: false, saveDueAt: nextSave(time), cacheUnsaved: false })
  if (role !== 'leader') return
  turn.effects.push({ type: 'save' })
  if (cacheUnsaved) saveCache(turn)
}
