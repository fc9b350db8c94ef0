// The instance API as the relay serves it: the same paths, bodies bounded, refusals as problems. Owns no decision.
import { randomUUID } from 'node:crypto'
import type { Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { ERRORS, type ErrorCode } from '../../contract/errors.ts'
import { SYNC_PATH } from '../../contract/sync.ts'
import { systemClock } from '../../platform/clock.ts'
import { findJsonFault } from '../../platform/json-faults.ts'
import { fullHouseWords } from '../seats/full-house.ts'
import { type Answer, answer, type Exchange, type FrontContext, type Refused } from './answers.ts'
import type { InstanceRequest } from './request.ts'
import { STRANGERS_PER_MINUTE, strangerBound } from './strangers.ts'

const PATHS: Readonly<Record<Exchange, string>> = {
  exchange: '/api/v1/licenses/token',
  refresh: '/api/v1/licenses/refresh',
  register: '/api/v1/instances/register',
  heartbeat: '/api/v1/instances/heartbeat',
  activate: '/api/v1/licenses/activate',
  validate: '/api/v1/licenses/validate',
  deactivate: '/api/v1/licenses/deactivate',
  telemetry: '/api/v1/telemetry',
}
const ORDINARY_BYTES = 64 * 1024
const BATCH_BYTES = 1024 * 1024
const RETRY_AFTER_SECONDS = '30'
const LONGEST_CREDENTIAL = 65_536

/** `publicUrl`: where instances reach the relay; without one, where they say they did. */
export function mountFront(app: Hono, context: FrontContext, publicUrl: string | null): void {
  const waitOf = strangerBound(systemClock.monotonic)
  for (const [what, path] of Object.entries(PATHS) as [Exchange, string][]) {
    const maxSize = what === 'telemetry' ? BATCH_BYTES : ORDINARY_BYTES
    const limit = bodyLimit({
      maxSize,
      onError: (c) => problem(c, 'body_too_large', `The body is over ${maxSize} bytes.`),
    })
    app.post(path, limit, async (c) => {
      const wait = waitOf(c, what)
      if (wait > 0) return tooMany(c, wait)
      const request = await requestOf(c, publicUrl)
      if ('code' in request) return problem(c, request.code, request.detail)
      return respond(c, await answer(context, what, request))
    })
  }
}

async function requestOf(
  c: Context,
  publicUrl: string | null,
): Promise<InstanceRequest | { code: ErrorCode; detail: string }> {
  const header = c.req.header('Authorization')
  const bearer = header === undefined ? null : (/^Bearer +([\x21-\x7e]+) *$/i.exec(header)?.[1] ?? '')
  if (bearer === '' || (bearer?.length ?? 0) > LONGEST_CREDENTIAL) {
    return { code: 'credential_unknown', detail: 'The Authorization header holds no Bearer credential.' }
  }
  const text = await c.req.text()
  if (!/^application\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i.test(c.req.header('Content-Type') ?? '')) {
    return { code: 'unsupported_media_type', detail: 'The body must be JSON.' }
  }
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) {
      const fault = findJsonFault(body)
      if (fault) return { code: 'invalid_request', detail: `${fault.message} (${fault.pointer}).` }
      const sync = channelOf(publicUrl ?? new URL(c.req.url).origin)
      return { method: 'POST', path: c.req.path, bearer, text, body: body as Record<string, unknown>, sync }
    }
  } catch {
    // Said below.
  }
  return { code: 'invalid_json', detail: 'The body is not a JSON object.' }
}

const tooMany = (c: Context, seconds: number): Response => {
  c.header('Retry-After', String(seconds))
  return problem(c, 'rate_limited', 'Too many requests without a credential from this address.', {
    reason: 'address',
    limit: STRANGERS_PER_MINUTE,
    fix: `Try again in ${seconds} s, or with the instance token.`,
  })
}

const channelOf = (url: string): string => url.replace(/^http/, 'ws') + SYNC_PATH

function respond(c: Context, given: Answer | Refused): Response {
  if ('refused' in given && given.refused === 'full') {
    const { message, fix } = fullHouseWords(given.full)
    return problem(c, 'vendor_unreachable', message, { ...given.full, fix })
  }
  if ('refused' in given && given.refused === 'bound') {
    return problem(c, 'machine_mismatch', 'The license is bound to another machine than the relay’s.', {
      reason: 'machine_mismatch',
      license_id: given.license,
      fix: "Run the relay on the machine that the license names, or have your vendor bind it to this one: the relay's status page shows its server fingerprint.",
    })
  }
  if ('refused' in given) {
    return given.refused === 'killed'
      ? problem(c, 'instance_killed', 'The vendor has switched this instance off.')
      : problem(
          c,
          'vendor_unreachable',
          `The vendor cannot be reached (${given.why}), and the relay holds nothing for this request.`,
          { fix: 'Try again; what is in force runs to its own end.' },
        )
  }
  const problems = given.status >= 400
  return c.body(given.text, given.status as ContentfulStatusCode, {
    'Content-Type': problems ? 'application/problem+json' : 'application/json',
    'Cache-Control': 'no-store',
    ...(given.cache === undefined ? {} : { 'Leasehold-Cache': given.cache }),
    ...(given.retryAfter === undefined ? {} : { 'Retry-After': given.retryAfter }),
    ...(given.status === 401 ? { 'WWW-Authenticate': 'Bearer realm="leasehold"' } : {}),
  })
}

/** RFC 9457, with the members that clients of older systems read. */
export function problem(
  c: Context,
  code: ErrorCode,
  detail: string,
  facts: Record<string, unknown> = {},
): Response {
  const [status, title] = ERRORS[code]
  const text = JSON.stringify({
    type: `urn:leasehold:problem:${code}`,
    title,
    status,
    detail,
    request_id: `req_${randomUUID().replaceAll('-', '')}`,
    error: code,
    message: detail,
    ...facts,
  })
  return c.body(text, status as ContentfulStatusCode, {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    ...(status === 503 ? { 'Retry-After': RETRY_AFTER_SECONDS } : {}),
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer realm="leasehold"' } : {}),
  })
}
