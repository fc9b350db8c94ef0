// Bounds and checks a body before any schema sees it: media type, size, UTF-8, JSON, depth and forbidden characters.
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { Refusal } from '../../domain/context.ts'
import type { HttpEnv } from '../../domain/routing.ts'

const ORDINARY_BYTES = 64 * 1024
const BATCH_BYTES = 1024 * 1024
const BATCH_PATHS = new Set(['/api/v1/telemetry', '/api/v1/relay/leases'])
const DEEPEST = 32
const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i

const limits = {
  ordinary: bodyLimit({ maxSize: ORDINARY_BYTES, onError: () => tooLarge(ORDINARY_BYTES) }),
  batch: bodyLimit({ maxSize: BATCH_BYTES, onError: () => tooLarge(BATCH_BYTES) }),
}

/**
 * 413, 415, 400 and 422 in that order; a request without a body passes. Whether there is one is known only by
 * reading: the headers that tell are those of HTTP/1.1 alone.
 */
export const requestBody = () =>
  createMiddleware<HttpEnv>(async (c, next) => {
    if (c.req.raw.body === null) return next()
    const limit = BATCH_PATHS.has(c.req.path) ? limits.batch : limits.ordinary
    return limit(c, async () => {
      const text = decodeUtf8(await c.req.arrayBuffer())
      if (text !== '') {
        if (!JSON_TYPE.test(c.req.header('Content-Type') ?? '')) throw notJson()
        checkJson(text)
      }
      await next()
    })
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
  const fault = findFault(value, '', 0)
  if (fault) {
    throw new Refusal('invalid_request', 'The body holds a value that is never valid.', {
      facts: { errors: [fault] },
      fix: 'Correct the member that `errors` points to.',
    })
  }
}

/** U+0000 cannot be stored by Postgres, lone surrogates not be written as UTF-8; depth bounds every later walk. */
function findFault(
  value: unknown,
  pointer: string,
  depth: number,
): { pointer: string; message: string } | null {
  if (typeof value === 'string') return faultOfText(value, pointer)
  if (typeof value !== 'object' || value === null) return null
  if (depth === DEEPEST) return { pointer, message: `nested deeper than ${DEEPEST}` }
  for (const [name, member] of Object.entries(value)) {
    const at = `${pointer}/${escapePointer(name)}`
    const fault = faultOfText(name, at) ?? findFault(member, at, depth + 1)
    if (fault) return fault
  }
  return null
}

function faultOfText(text: string, pointer: string): { pointer: string; message: string } | null {
  if (text.includes('\u0000')) return { pointer: printable(pointer), message: 'U+0000 is not allowed' }
  if (!text.isWellFormed()) return { pointer: printable(pointer), message: 'lone surrogate is not allowed' }
  return null
}

const printable = (pointer: string): string =>
  pointer.toWellFormed().replaceAll('\u0000', '\ufffd').slice(0, 200)

/** RFC 6901. */
export const escapePointer = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')
