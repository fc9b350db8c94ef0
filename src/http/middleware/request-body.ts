// Reads a body whole, within bounds of time and number, and checks it before any schema sees it: media type, size, UTF-8,
// JSON, depth and forbidden characters.
import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { Refusal } from '../../domain/kernel/context.ts'
import { findJsonFault } from '../../platform/json-faults.ts'
import { networkOf } from '../../platform/network.ts'
import { bearerOf, type Context, type HttpEnv } from '../routing.ts'
import type { HeldBodies } from './held-bodies.ts'
import { fingerprintOf } from './known-credentials.ts'

const ORDINARY_BYTES = 64 * 1024
const BATCH_BYTES = 1024 * 1024
const BATCH_PATHS = new Set(['/api/v1/telemetry', '/api/v1/relay/leases'])
const RETRY_SECONDS = '5'
const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i

const limits = {
  ordinary: bodyLimit({ maxSize: ORDINARY_BYTES, onError: () => tooLarge(ORDINARY_BYTES) }),
  batch: bodyLimit({ maxSize: BATCH_BYTES, onError: () => tooLarge(BATCH_BYTES) }),
}

/**
 * 413, 408, 415, 400 and 422; a request without a body passes. Whether there is one is known only by reading: the
 * headers that tell are those of HTTP/1.1 alone. Stands before the gate: whoever is slow to send holds none of its places.
 */
export const requestBody = (bodies: HeldBodies) =>
  createMiddleware<HttpEnv>(async (c, next) => {
    if (c.req.raw.body === null) return next()
    const isBatch = BATCH_PATHS.has(c.req.path)
    const weight = isBatch ? weightOf(c) : 1
    const release = bodies.hold(isBatch ? 'batch' : 'ordinary', senderOf(c), isKnown(c), weight)
    if (typeof release === 'string') throw tooManyBodies(release)
    try {
      const text = decodeUtf8(await readBody(c, isBatch ? limits.batch : limits.ordinary, bodies.longestMs))
      if (text !== '') {
        if (!JSON_TYPE.test(c.req.header('Content-Type') ?? '')) throw notJson()
        checkJson(text)
      }
      await next()
    } finally {
      release()
    }
  })

async function readBody(c: Context, limit: MiddlewareHandler, longestMs: number): Promise<ArrayBuffer> {
  let body = new ArrayBuffer(0)
  const reading = limit(c, async () => {
    body = await c.req.arrayBuffer()
  })
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(tooSlow(longestMs)), longestMs)
  try {
    await Promise.race([reading, late])
  } finally {
    clearTimeout(timer)
  }
  return body
}

/** In places of 64 KiB: of the length that is announced, which no body exceeds, or else of the longest that is read. */
function weightOf(c: Context): number {
  const length = c.req.header('Transfer-Encoding') === undefined ? c.req.header('Content-Length') : undefined
  const bytes = length !== undefined && /^\d+$/.test(length) ? Number(length) : BATCH_BYTES
  return Math.ceil(Math.min(Math.max(bytes, 1), BATCH_BYTES) / ORDINARY_BYTES)
}

/** Whether the credential proved a license before, or the admin has just been looked at. */
const isKnown = (c: Context): boolean => c.get('isKnown') === true || c.get('isAccepted') === true

/** Many machines may share an address, and each has a credential of its own. */
function senderOf(c: Context): string {
  const bearer = isKnown(c) ? bearerOf(c) : null
  return bearer ? fingerprintOf(bearer.text) : networkOf(c.get('address'))
}

function tooManyBodies(whose: 'sender' | 'all'): Refusal {
  const options = {
    fix: `Send the request again in ${RETRY_SECONDS} s.`,
    // The body is not read, so nothing can follow it.
    headers: { 'Retry-After': RETRY_SECONDS, Connection: 'close' },
  }
  if (whose === 'all') {
    return new Refusal(
      'overloaded',
      'This server holds as many bodies as it can. Nothing was done; try again.',
      options,
    )
  }
  return new Refusal('rate_limited', 'Too many requests of this sender are on their way.', {
    ...options,
    facts: { reason: 'bodies' },
  })
}

const tooSlow = (ms: number) =>
  new Refusal('body_too_slow', `The body did not arrive within ${ms / 1000} s.`, {
    facts: { limit: ms / 1000 },
    fix: 'Send it again, whole and at once.',
    headers: { Connection: 'close' },
  })

const notJson = () =>
  new Refusal('unsupported_media_type', 'The body must be JSON.', {
    fix: 'Send the header Content-Type: application/json.',
  })

function tooLarge(bytes: number): never {
  throw new Refusal('body_too_large', `The body is over ${bytes} bytes.`, {
    facts: { limit: bytes },
    fix: 'Send less in one request.',
    // The rest of the body is not read, so nothing can follow it.
    headers: { Connection: 'close' },
  })
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function decodeUtf8(bytes: ArrayBuffer): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new Refusal('invalid_json', 'The body is not UTF-8.', { fix: 'Send JSON in UTF-8.' })
  }
}

function checkJson(text: string): void {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Refusal('invalid_json', 'The body is not valid JSON.', { fix: 'Send one JSON object.' })
  }
  const fault = findJsonFault(value)
  if (fault) {
    throw new Refusal('invalid_request', 'The body holds a value that is never valid.', {
      facts: { errors: [fault] },
      fix: 'Correct the member that `errors` points to.',
    })
  }
}
