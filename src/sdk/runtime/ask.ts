// One control request from lock to event: re-read under the lock, pend the refresh id on disk, send, verify.
import { encodeBase64url } from '../../license/base64.ts'
import type { Disk } from '../disk/disk.ts'
import { wordsOf } from '../guard.ts'
import type { Host } from '../host/port.ts'
import type { Effect } from '../state/effects.ts'
import { requestOf } from '../state/requests.ts'
import { now } from '../time/clock.ts'
import type { Trust } from '../trust/trust.ts'
import { readAnswer } from '../wire/answer.ts'
import { compose } from '../wire/compose.ts'
import type { Reporter } from '../wire/report.ts'
import { sendHttp } from '../wire/send.ts'
import type { Driver } from './driver.ts'
import type { Gates } from './gates.ts'
import { sha256Hex } from './hash.ts'

export interface AskPort {
  host: Host
  driver: Driver
  trust: Trust
  disk: Disk | null
  reporter: Reporter
  gates: Gates
  /** Milliseconds. */
  timeout: number
  stop: AbortSignal
}

export async function ask(effect: Extract<Effect, { type: 'send' }>, port: AskPort): Promise<void> {
  const { term } = port.driver.state()
  try {
    await attempt(effect, term, port)
  } catch (error) {
    // Nothing here is expected to throw; if it does, it is an outage like another.
    const why = wordsOf(error)
    port.driver.dispatch({
      type: 'answered',
      sent: { task: effect.task, request: effect.request, proven: false, withInstanceToken: false, term },
      outcome: { kind: 'unreachable', why },
    })
  }
}

async function attempt(
  { task }: Extract<Effect, { type: 'send' }>,
  term: number,
  port: AskPort,
): Promise<void> {
  const { host, driver, trust } = port
  if (!(await mayAsk(port))) return
  const request = requestOf(driver.state(), task)
  if (request !== null && request !== 'register' && driver.state().chain.refreshId === null) {
    driver.dispatch({ type: 'chained', refreshId: randomText(host, 16) })
    await driver.flush()
  }
  const carries = request === 'heartbeat' || request === 'refresh' ? request : null
  const used = carries === 'heartbeat' ? port.gates.usedFeatures() : []
  const report = carries ? await port.reporter.take(carries) : null
  const nonce = randomText(host, 16)
  // Whoever leads now asks for itself.
  if (driver.state().term !== term) return
  const composed = request && compose(driver.state(), task, request, { nonce, report })
  if (!composed || port.stop.aborted) {
    driver.dispatch({ type: 'not_sent', term })
    return
  }
  const { url, bearer, body, sent } = composed
  const result = await sendHttp(host, { method: 'POST', url, bearer, body, timeout: port.timeout }, port.stop)
  const outcome = await readAnswer(result, {
    trust,
    nonce,
    now: now(driver.state().time),
    hash: sha256Hex,
  })
  if (port.stop.aborted) return
  if (outcome.kind === 'answer' && outcome.status < 300) port.gates.forget(used)
  driver.dispatch({ type: 'answered', sent, outcome })
}

/** Holds the lock, and knows what whoever held it before has left: else a rolling restart would look like a clone. */
async function mayAsk({ driver, disk, trust }: AskPort): Promise<boolean> {
  if (disk === null || driver.state().role !== 'leader') return true
  if ((await disk.lead()) === false) {
    driver.dispatch({ type: 'role', role: 'follower' })
    return false
  }
  await takeOver(driver, disk, trust)
  return true
}

/** Takes over what another process has written since this one looked. */
export async function takeOver(driver: Driver, disk: Disk, trust: Trust): Promise<void> {
  await driver.flush()
  const keySet = await disk.rereadKeySet()
  if (keySet !== null) await trust.follow(keySet)
  const stored = await disk.rereadState(driver.owner())
  if (stored === null) return
  const { grant } = await disk.loadCache(trust, false)
  driver.dispatch({ type: 'read', stored, session: grant })
}

/** Random bytes as base64url. */
export function randomText(host: Host, bytes: number): string {
  return encodeBase64url(host.random(bytes))
}
