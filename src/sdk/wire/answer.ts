// Reads an answer: signed members are verified, the rest is at most a hint (T1). Never throws.
import { isJsonObject, type JsonObject } from '../../license/json.ts'
import type { Outcome, ServerAnswer } from '../state/events.ts'
import type { Trust } from '../trust/trust.ts'
import type { HttpResult } from './send.ts'

export interface AnswerContext {
  trust: Trust
  /** The outstanding one. */
  nonce: string
  /** Unix milliseconds, for a `Retry-After` that is a date. */
  now: number
  /** SHA-256 in hex. */
  hash(text: string): Promise<string>
}

export async function readAnswer(result: HttpResult, context: AnswerContext): Promise<Outcome> {
  if (!result.ok) return { kind: 'unreachable', why: result.why }
  const body = parseBody(result.text)
  const retryAfter = readRetryAfter(result.headers.get('Retry-After'), context.now)
  if (body === null) {
    // A proxy's 503 in HTML is an outage like another, and may ask for patience.
    if (result.status < 400)
      return { kind: 'unreachable', why: 'the answer is not the JSON of a license server' }
    return { ...NOTHING, status: result.status, retryAfter }
  }
  const answer: ServerAnswer = {
    ...NOTHING,
    status: result.status,
    retryAfter,
    code: shortText(body.error) ?? shortText(body.reason),
    message: shortText(body.message) ?? shortText(body.detail),
    refreshToken: credential(body.refresh_token),
    instanceToken: credential(body.instance_token),
    cache: shortText(result.headers.get('Leasehold-Cache')),
  }
  const config = isJsonObject(body.config) ? body.config : {}
  answer.refreshToken ??= credential(config.feature_refresh_token)
  answer.heartbeatInterval = config.heartbeat_interval
  answer.refreshInterval = config.refresh_interval
  if (isJsonObject(body.config)) answer.sync = shortText(config.sync)
  await readSigned(answer, body, context)
  return answer
}

async function readSigned(answer: ServerAnswer, body: JsonObject, context: AnswerContext): Promise<void> {
  if (typeof body.directive === 'string') {
    const directive = await context.trust.directive(body.directive, context.nonce)
    if (directive.ok) answer.directive = directive.value
    else answer.refused = directive.reason
  }
  // Never with a refusal: only a success carries grants.
  if (answer.status >= 300) return
  if (typeof body.jwt === 'string') {
    const grant = await context.trust.licenseJwt(body.jwt, 'online')
    if (grant.ok) answer.grant = grant.value
    else answer.refused = grant.reason
  } else if (typeof body.lease === 'string') {
    const lease = await context.trust.relayLease(body.lease, 'online')
    if (lease.ok) answer.grant = lease.value
    else answer.refused = lease.detail === undefined ? lease.reason : `${lease.reason}: ${lease.detail}`
  }
  const entitlement = body.entitlement_token
  if (typeof entitlement === 'string' && entitlement !== '') {
    answer.entitlementHash = await context.hash(entitlement)
  }
}

const NOTHING: ServerAnswer = {
  kind: 'answer',
  status: 0,
  code: null,
  message: null,
  retryAfter: null,
  directive: null,
  grant: null,
  refused: null,
  refreshToken: null,
  instanceToken: null,
  entitlementHash: null,
  heartbeatInterval: null,
  refreshInterval: null,
}

function parseBody(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : null
  } catch {
    return null
  }
}

/** Words for the log: of one line, and no longer than a line. */
function shortText(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a log line must not be forged by an answer.
  return value.slice(0, 200).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ')
}

/** A token that can stand in a header. */
function credential(value: unknown): string | null {
  return typeof value === 'string' && /^[\x21-\x7e]{1,255}$/.test(value) ? value : null
}

/** `Retry-After` (RFC 9110, section 10.2.3) → milliseconds; null where there is none or it makes no sense. */
export function readRetryAfter(header: string | null, now: number): number | null {
  if (header === null) return null
  if (/^\d{1,15}$/.test(header.trim())) return Number(header) * 1000
  // Every form of an HTTP date begins with the day's name.
  const date = /^[A-Z][a-z]{2}/.test(header) ? Date.parse(header) : Number.NaN
  return Number.isNaN(date) ? null : Math.max(0, date - now)
}
