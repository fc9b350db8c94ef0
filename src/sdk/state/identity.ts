// The instance's token: learned from answers, doubted when the server does not know it, never thrown away on an
// unsigned word (T1, T8, T9).
import { HOUR, MINUTE } from '../schedule/timing.ts'
import type { Sent, ServerAnswer } from './events.ts'
import { scheduleRetry } from './scheduling.ts'
import type { SdkState } from './state.ts'
import { dueIn, type Turn, update, updateKept } from './turn.ts'

/** The token to send; null while it is doubted. After an hour it is tried again. */
export function usableToken({ identity, time }: SdkState): string | null {
  const { token, doubted, reprovedAt } = identity
  return doubted && reprovedAt !== null && time.elapsed - reprovedAt < HOUR ? null : token
}

/** Token and refresh token of an answer. Unproven requests are given chain tokens that mean nothing (T5). */
export function learnTokens(turn: Turn, sent: Sent, answer: ServerAnswer): void {
  const { identity } = turn.state
  if (answer.instanceToken !== null && answer.instanceToken !== identity.token) {
    updateKept(turn, { identity: { ...identity, token: answer.instanceToken, doubted: false } })
  } else if (sent.withInstanceToken && answer.status < 400 && identity.doubted) {
    update(turn, { identity: { ...identity, doubted: false } })
  }
  if (answer.refreshToken !== null && sent.proven) {
    updateKept(turn, { chain: { refreshToken: answer.refreshToken, refreshId: null } })
  }
}

/** Whether the answer says that the instance has to prove itself anew. */
export function asksForProof(answer: ServerAnswer): boolean {
  return (
    answer.status === 401 &&
    (answer.code === 'instance_token_unknown' || answer.code === 'instance_token_required')
  )
}

/** Registers again with the proof of license, at most hourly; the task that was refused follows. */
export function proveAgain(turn: Turn, { task, withInstanceToken }: Sent): void {
  const { identity, time, config } = turn.state
  const since = identity.reprovedAt === null ? HOUR : time.elapsed - identity.reprovedAt
  const isProof = task === 'register' && !withInstanceToken
  if (isProof) {
    // The proof itself was of no use: it is tried again in an hour, and nothing else before.
    update(turn, { identity: { ...identity, reprovedAt: time.elapsed } })
    scheduleRetry(turn, task, HOUR)
    return
  }
  if (since < HOUR) {
    scheduleRetry(turn, task, HOUR - since)
    return
  }
  update(turn, {
    identity: { ...identity, doubted: true, reprovedAt: time.elapsed },
    // A license key proves itself by an activation.
    activated: false,
  })
  if (task !== 'register') scheduleRetry(turn, task, MINUTE)
  dueIn(turn, 'register', 0)
  if (config.licenseKey !== null) dueIn(turn, 'grant', 0)
}
