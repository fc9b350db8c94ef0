// Reads an answer file and judges it: form, signature, names, time, the request that it answers, and whether the server
// has said something later since (T1, T3). Changes nothing.
import { ACTIVATION_ANSWER, ACTIVATION_VERSION } from '../../contract/offline-activation.ts'
import { isJsonObject } from '../../license/json.ts'
import type { ActivationRefusal } from '../public/activation.ts'
import type { Activated } from '../state/state.ts'
import type { Trust } from '../trust/trust.ts'
import type { Requests } from './shelf.ts'

export interface AnswerFile {
  activation: string
  keySet: string | null
}

export type Judged =
  | { ok: true; activated: Activated; file: AnswerFile }
  | { ok: false; reason: ActivationRefusal; message: string }

/** The file's two texts; a bare offline answer is one too. Null for anything else. */
export function readAnswerFile(text: unknown): AnswerFile | null {
  if (typeof text !== 'string') return null
  const trimmed = text.trim()
  if (/^eyJ[\w-]*\.[\w-]+\.[\w-]+$/.test(trimmed)) return { activation: trimmed, keySet: null }
  try {
    const value: unknown = JSON.parse(trimmed)
    if (!isJsonObject(value)) return null
    const { kind, version, activation, key_set: keySet } = value
    if (kind !== ACTIVATION_ANSWER || version !== ACTIVATION_VERSION) return null
    if (typeof activation !== 'string') return null
    return { activation, keySet: typeof keySet === 'string' ? keySet : null }
  } catch {
    return null
  }
}

/** The file as it is kept. */
export function writeAnswerFile({ activation, keySet }: AnswerFile): string {
  const file = { kind: ACTIVATION_ANSWER, version: ACTIVATION_VERSION, activation, key_set: keySet }
  return `${JSON.stringify(file)}\n`
}

/** An answer that was installed before: verified again, its time and its request no matter. Null where it does not hold. */
export async function verifyInstalled(text: string | null, trust: Trust): Promise<Activated | null> {
  const file = readAnswerFile(text)
  if (file === null) return null
  if (file.keySet !== null) await trust.follow(file.keySet)
  const verified = await trust.activation(file.activation, 'any')
  return verified.ok ? verified.value : null
}

export async function judgeAnswer(
  file: AnswerFile | null,
  trust: Trust,
  requests: Requests,
  isSuperseded: (activated: Activated) => boolean,
): Promise<Judged> {
  if (file === null) return no('malformed')
  if (file.keySet !== null) await trust.follow(file.keySet)
  const verified = await trust.activation(file.activation, 'unexpired')
  if (!verified.ok) return no(CODES[verified.reason] ?? 'malformed')
  const { nonce } = verified.value.word
  if (requests.used.includes(nonce)) return no('replayed')
  if (!requests.open.includes(nonce)) return no('unknown_request')
  if (isSuperseded(verified.value)) return no('superseded')
  return { ok: true, activated: verified.value, file }
}

/** Inside reasons that are told as they are, or as something plainer; the others are all `malformed`. */
const CODES: Readonly<Record<string, ActivationRefusal>> = {
  unknown_key: 'unknown_key',
  wrong_use: 'unknown_key',
  key_not_yet_valid: 'unknown_key',
  key_revoked: 'key_revoked',
  wrong_product: 'wrong_product',
  wrong_audience: 'wrong_product',
  wrong_issuer: 'wrong_issuer',
  wrong_instance: 'wrong_instance',
  bad_signature: 'tampered',
  bad_grant: 'tampered',
  expired: 'expired',
}

const MESSAGES: Readonly<Record<ActivationRefusal, string>> = {
  malformed: 'This is no offline answer.',
  wrong_product: 'The answer is for another product.',
  wrong_instance: 'The answer is for another instance.',
  wrong_issuer: 'The answer is from another server.',
  unknown_key: 'The answer is signed with an unknown key.',
  key_revoked: 'The answer is signed with a revoked key.',
  tampered: 'The answer was changed after it was signed.',
  expired: 'The answer was not installed in time.',
  replayed: 'The answer was installed before.',
  unknown_request: 'The answer is to no open request.',
  superseded: 'The server has said something later.',
}

const no = (reason: ActivationRefusal): Judged => ({ ok: false, reason, message: MESSAGES[reason] })
