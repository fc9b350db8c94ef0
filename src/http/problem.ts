// Turns whatever was thrown into a problem document. The one place where inside errors become outside ones.
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { ZodError } from 'zod'
import { ERRORS, type ErrorCode, type Problem } from '../contract/errors.ts'
import { databaseFault } from '../db/errors.ts'
import { Refusal } from '../domain/kernel/context.ts'
import { AppError } from '../platform/app-error.ts'
import { escapePointer } from '../platform/json-faults.ts'
import type { Context } from './routing.ts'

export const RETRY_AFTER_SECONDS = '5'

/** Sends the problem and logs what nobody foresaw, once, with the request id. */
export function problemResponse(thrown: unknown, c: Context): Response {
  // Some libraries throw other things.
  const error =
    thrown instanceof Error
      ? thrown
      : new Error('something other than an Error was thrown', { cause: thrown })
  const seen = describe(error)
  const [status, title] = ERRORS[seen.code]
  const requestId = c.get('requestId')
  const problem: Problem = {
    ...seen.facts,
    type: `urn:leasehold:problem:${seen.code}`,
    title,
    status,
    detail: seen.detail,
    request_id: requestId,
    error: seen.code,
    message: seen.detail,
    ...(seen.fix === undefined ? {} : { fix: seen.fix }),
  }
  for (const [name, value] of Object.entries(seen.headers ?? {})) c.header(name, value)
  if (status === 401 && !seen.headers?.['WWW-Authenticate']) {
    c.header('WWW-Authenticate', challenge(seen.code, seen.detail))
  }
  if (status === 503) c.header('Retry-After', RETRY_AFTER_SECONDS)
  if (seen.code === 'internal_error') c.get('ctx').log.error({ err: error }, 'request failed')
  return c.body(JSON.stringify(problem), status as ContentfulStatusCode, {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
  })
}

interface Seen {
  code: ErrorCode
  detail: string
  facts?: Record<string, unknown>
  fix?: string
  headers?: Record<string, string>
}

function describe(error: unknown): Seen {
  if (error instanceof AppError && error.code in ERRORS) {
    return {
      code: error.code as ErrorCode,
      detail: error.message,
      ...(error.facts ? { facts: error.facts } : {}),
      ...(error.fix === undefined ? {} : { fix: error.fix }),
      ...(error.headers ? { headers: error.headers } : {}),
    }
  }
  const fault = databaseFault(error)
  if (fault === 'away' || fault === 'busy') {
    const why = fault === 'away' ? 'does not answer' : 'is too busy to answer in time'
    return {
      code: 'database_unavailable',
      detail: `The database ${why}. Try again: a request that was carried out all the same counts once.`,
    }
  }
  if (error instanceof HTTPException) return describeHttp(error)
  return {
    code: 'internal_error',
    detail: 'Something failed inside. The request id finds it in the server log.',
  }
}

/** What the validator throws before any schema is asked. */
function describeHttp(error: HTTPException): Seen {
  if (error.status === 415) {
    return {
      code: 'unsupported_media_type',
      detail: 'The body must be JSON.',
      fix: 'Send the header Content-Type: application/json.',
    }
  }
  return { code: 'invalid_json', detail: 'The body is not valid JSON.', fix: 'Send one JSON object.' }
}

/** RFC 6750, section 3. */
function challenge(code: ErrorCode, detail: string): string {
  if (code === 'unauthorized') return 'Bearer realm="leasehold"'
  return `Bearer realm="leasehold", error="invalid_token", error_description="${detail.replaceAll('"', "'")}"`
}

/** What zod found, as RFC 6901 pointers: 422, or 400 where the value is the whole body. */
export function refuseInvalid(result: { success: boolean; error?: ZodError }): void {
  if (result.success || !result.error) return
  const errors = result.error.issues.slice(0, 50).map((issue) => ({
    pointer: issue.path.map((part) => `/${escapePointer(String(part))}`).join(''),
    message: issue.message,
  }))
  throw new Refusal('invalid_request', 'The request holds values that are not valid.', {
    facts: { errors },
    fix: 'Correct the members that `errors` points to.',
  })
}
