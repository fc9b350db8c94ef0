// What comes of a request, task by task. An answer without a signature takes nothing away (T1, T2).

import { mayReplace } from '../grants/choose.ts'
import { type Grant, graceDaysOf } from '../grants/grant.ts'
import { afterGrant } from '../grants/rejection.ts'
import { nowSeconds } from '../time/clock.ts'
import { saveCache } from './caching.ts'
import { applyDirective } from './directive.ts'
import type { Outcome, Sent, ServerAnswer } from './events.ts'
import { learnChannel } from './hints.ts'
import { asksForProof, learnTokens, proveAgain } from './identity.ts'
import { useKey } from './key-use.ts'
import { announceCache } from './notices.ts'
import {
  isLate,
  learnIntervals,
  scheduleDenied,
  scheduleHeartbeat,
  scheduleOutage,
  scheduleRefresh,
  scheduleTrouble,
} from './scheduling.ts'
import type { TaskKind } from './state.ts'
import { tried } from './tried.ts'
import { inform, setTask, type Turn, update, updateKept, warn } from './turn.ts'

export function applyAnswer(turn: Turn, sent: Sent, outcome: Outcome): void {
  update(turn, { inFlight: null })
  if (outcome.kind === 'unreachable') {
    failed(turn, sent, 'server_unreachable', outcome.why)
    scheduleOutage(turn, sent.task)
    // Whatever was to be asked next would fare no better: the start need not wait for it.
    endStart(turn)
    return
  }
  update(turn, { outage: { failures: 0, until: 0 }, relayCache: outcome.cache ?? null })
  if (outcome.directive) applyDirective(turn, outcome.directive)
  learnTokens(turn, sent, outcome)
  learnIntervals(turn, outcome)
  learnChannel(turn, outcome)
  if (outcome.entitlementHash !== null) updateKept(turn, { entitlementHash: outcome.entitlementHash })
  if (sent.task === 'grant') applyGrantAnswer(turn, sent, outcome)
  else if (outcome.status >= 200 && outcome.status < 300) succeeded(turn, sent.task)
  else refused(turn, sent, outcome)
}

function succeeded(turn: Turn, task: Exclude<TaskKind, 'grant'>): void {
  const first = !turn.state.tasks[task].done
  setTask(turn, task, { done: true, failures: 0, dueAt: null })
  if (task === 'heartbeat') scheduleHeartbeat(turn, first)
}

function applyGrantAnswer(turn: Turn, sent: Sent, answer: ServerAnswer): void {
  const { grant } = answer
  if (!grant) {
    refused(turn, sent, answer)
    return
  }
  const { slots, settled } = turn.state
  const first = !turn.state.tasks.grant.done
  if (answer.directive === null)
    turn.why = `the ${grant.relay ? 'relay leased' : 'server granted'} the license`
  // Where no fresh word says the time, an older grant does not take the place of a newer one.
  if (mayReplace(slots.session, grant, nowSeconds(turn.state.time))) {
    updateKept(turn, {
      slots: { ...slots, session: grant },
      rejections: afterGrant(turn.state.rejections, grant),
      credential: turn.state.ownCredential,
      lastFailure: null,
    })
    saveCache(turn)
  }
  if (sent.request === 'activate' || sent.request === 'validate') confirmLicenseKey(turn, grant)
  if (sent.request === 'activate') update(turn, { activated: true })
  update(turn, { cacheNotice: false, settled: true })
  tried(turn, sent.request, 'in_force')
  // A lease that is half over when it comes, out of some cache on the way: no reason to ask without rest.
  if (isLate(turn.state, grant)) {
    scheduleTrouble(turn, 'grant', answer)
    return
  }
  setTask(turn, 'grant', { done: true, failures: 0 })
  scheduleRefresh(turn, first)
  if (!settled || first) inform(turn, `License granted: tier ${grant.tier}`)
}

/**
 * The server has confirmed the license key: its offline time counts from the signed time of the grant (T6), so that an
 * old answer given again confirms nothing anew (T1). A relay that leases a seat confirms nothing: its seat has no grace.
 */
function confirmLicenseKey(turn: Turn, grant: Grant): void {
  const { licenseKey, slots } = turn.state
  if (!licenseKey || !slots.session || grant.relay) return
  const graceDays = graceDaysOf(grant) ?? licenseKey.use.graceDays
  const confirmedAt = Math.max(licenseKey.use.confirmedAt ?? 0, grant.vouchedAt)
  useKey(turn, { ...licenseKey.use, confirmedAt, graceDays })
}

function refused(turn: Turn, sent: Sent, answer: ServerAnswer): void {
  const code = answer.code ?? answer.refused ?? `http_${answer.status}`
  const text = answer.refused ? `the answer was not believed (${answer.refused})` : (answer.message ?? code)
  failed(turn, sent, code, text)
  const trouble = answer.status >= 500 || answer.status === 429 || answer.refused !== null
  if (asksForProof(answer)) proveAgain(turn, sent)
  else if (trouble) scheduleTrouble(turn, sent.task, answer)
  else scheduleDenied(turn, sent.task)
}

const WORDS: Record<TaskKind, string> = {
  register: 'Registration',
  grant: 'License refresh',
  heartbeat: 'Heartbeat',
}

/** A failure is told; whatever is in force goes on. */
function failed(turn: Turn, sent: Sent, code: string, text: string): void {
  update(turn, { lastFailure: { code, text } })
  warn(turn, `${WORDS[sent.task]} failed: ${text}`)
  if (sent.task !== 'grant') return
  tried(turn, sent.request, code, text)
  endStart(turn)
}

function endStart(turn: Turn): void {
  announceCache(turn)
  update(turn, { settled: true })
}
