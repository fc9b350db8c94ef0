// Takes a request's body in, within bounds of number, size and time, and checks it before any schema sees it: media type,
// UTF-8, JSON, depth and forbidden characters.
import { Refusal } from '../../domain/kernel/context.ts'
import { findJsonFault, mayHoldJsonFault } from '../../platform/json-faults.ts'
import { bearerOf, type Context } from '../routing.ts'
import type { HeldBodies, Release } from './held-bodies.ts'
import { fingerprintOf } from './known-credentials.ts'
import { announcedLength, readBody } from './read-body.ts'

const ORDINARY_BYTES = 64 * 1024
const BATCH_BYTES = 1024 * 1024
const BATCH_PATHS = new Set(['/api/v1/telemetry', '/api/v1/relay/leases'])
const RETRY_SECONDS = '5'
const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i

/**
 * 413, 408, 415, 400 and 422. Stands before the gate: whoever is slow to send holds none of its places. Returns what
 * gives the body's own place back, which it keeps while the request is at work.
 */
export async function takeBody(c: Context, bodies: HeldBodies): Promise<Release> {
  const isBatch = BATCH_PATHS.has(c.req.path)
  const weight = isBatch ? weightOf(c) : 1
  const release = bodies.hold(isBatch ? 'batch' : 'ordinary', senderOf(c), isKnown(c), weight)
  if (typeof release === 'string') throw tooManyBodies(release)
  try {
    const bytes = isBatch ? BATCH_BYTES : ORDINARY_BYTES
    const body = await readBody(c, { bytes, ms: bodies.longestMs })
    keepText(c, body.byteLength === 0 ? '' : jsonIn(c, body))
  } catch (error) {
    release()
    throw error
  }
  return release
}

/** For whoever reads the request after us. */
function keepText(c: Context, text: string): void {
  Object.assign(c.req.bodyCache, { text: Promise.resolve(text) })
}

/** In places of 64 KiB: of the length that is announced, which no body exceeds, or else of the longest that is read. */
function weightOf(c: Context): number {
  const bytes = announcedLength(c) ?? BATCH_BYTES
  return Math.ceil(Math.min(Math.max(bytes, 1), BATCH_BYTES) / ORDINARY_BYTES)
}

/** Whether the credential proved a license before, or the admin has just been looked at. */
const isKnown = (c: Context): boolean => c.get('isKnown') === true || c.get('isAccepted') === true

/** Many machines may share an address, and each has a credential of its own. */
function senderOf(c: Context): string {
  const bearer = isKnown(c) ? bearerOf(c) : null
  return bearer ? fingerprintOf(bearer.text) : c.get('network')
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

/** The body as text, with its value kept for the validator, which would parse it again. */
function jsonIn(c: Context, body: Uint8Array): string {
  const text = decodeUtf8(body)
  if (text === '') return text
  if (!JSON_TYPE.test(c.req.header('Content-Type') ?? '')) throw notJson()
  const value = parseJson(text)
  if (mayHoldJsonFault(text)) refuseFaults(value)
  Object.assign(c.req, { json: async () => value })
  return text
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new Refusal('invalid_json', 'The body is not UTF-8.', { fix: 'Send JSON in UTF-8.' })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal('invalid_json', 'The body is not valid JSON.', { fix: 'Send one JSON object.' })
  }
}

function refuseFaults(value: unknown): void {
  const fault = findJsonFault(value)
  if (!fault) return
  throw new Refusal('invalid_request', 'The body holds a value that is never valid.', {
    facts: { errors: [fault] },
    fix: 'Correct the member that `errors` points to.',
  })
}

const notJson = () =>
  new Refusal('unsupported_media_type', 'The body must be JSON.', {
    fix: 'Send the header Content-Type: application/json.',
  })
