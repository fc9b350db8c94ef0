// What a Worker answers when a request does not get as far as the app: the problem outside, its reasons in the log.
import { ERRORS, type ErrorCode, type Problem } from '../contract/errors.ts'
import { databaseFault } from '../db/errors.ts'
import { RETRY_AFTER_SECONDS } from '../http/problem.ts'
import { systemClock } from '../platform/clock.ts'
import { publicId, uuidv7 } from '../platform/ids.ts'
import { consoleLogger } from '../platform/logger-console.ts'
import { StartError } from '../platform/start-error.ts'

const DETAIL = {
  misconfigured: 'This server is not configured correctly. Whoever runs it finds the reasons in its log.',
  database_unavailable: 'The database does not answer. Try again: nothing was done.',
  internal_error: 'Something failed inside. The request id finds it in the server log.',
  rate_limited: 'Too many requests from this address.',
} as const satisfies Partial<Record<ErrorCode, string>>

type Outcome = Exclude<keyof typeof DETAIL, 'rate_limited'>

/** Logs the error and answers with its problem. */
export function unableTo(error: unknown): Response {
  const requestId = newRequestId()
  const code = logFailure(error, requestId)
  return answer(code, requestId, ERRORS[code][0] === 503 ? RETRY_AFTER_SECONDS : null)
}

/** Told before anything is looked at; the log would grow with the flood. */
export const tooMany = (retryAfter: number): Response =>
  answer('rate_limited', newRequestId(), String(retryAfter), { reason: 'address' })

const newRequestId = () => publicId('req', uuidv7(systemClock.now()))

function answer(
  code: keyof typeof DETAIL,
  requestId: string,
  retryAfter: string | null,
  facts: Record<string, unknown> = {},
): Response {
  const [status, title] = ERRORS[code]
  const problem: Problem = {
    ...facts,
    type: `urn:leasehold:problem:${code}`,
    title,
    status,
    detail: DETAIL[code],
    request_id: requestId,
    error: code,
    message: DETAIL[code],
  }
  return new Response(JSON.stringify(problem), {
    status,
    headers: {
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      'X-Request-Id': requestId,
      ...(retryAfter === null ? {} : { 'Retry-After': retryAfter }),
    },
  })
}

/** Says why in one line of the log. The settings may be what is wrong, so the log level is not asked for. */
export function logFailure(error: unknown, requestId?: string): Outcome {
  const log = consoleLogger({ level: 'warn' }).child(requestId === undefined ? {} : { request_id: requestId })
  if (error instanceof StartError) {
    log.error({ fix: error.fix }, error.message)
    return 'misconfigured'
  }
  const fault = databaseFault(error)
  if (fault === 'away' || fault === 'busy') {
    log.warn({ err: error }, fault === 'away' ? 'the database is away' : 'the database is too busy')
    return 'database_unavailable'
  }
  log.error({ err: error }, 'request failed')
  return 'internal_error'
}
