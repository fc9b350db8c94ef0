// Reads a body whole, within a bound of bytes and one of time. Judges nothing of what it holds.
import type { IncomingMessage } from 'node:http'
import { bodyLimit } from 'hono/body-limit'
import { Refusal } from '../../domain/kernel/context.ts'
import { nodeRequestOf } from '../node-request.ts'
import type { Context } from '../routing.ts'

export interface BodyLimits {
  bytes: number
  /** Milliseconds from the headers to the end of the body. */
  ms: number
}

/** @throws Refusal `body_too_large`, `body_too_slow`, or `invalid_json` for one that breaks off. */
export async function readBody(c: Context, limits: BodyLimits): Promise<Uint8Array> {
  const node = nodeRequestOf(c)
  if (!node) return readStream(c, limits)
  const { incoming } = node
  const length = announcedLength(c)
  if (length === null) return readChunks(incoming, limits)
  if (length > limits.bytes) throw tooLarge(limits.bytes)
  // A small body comes in one packet with its head, and is here once the packet is taken apart.
  await Promise.resolve()
  if (incoming.readableLength < length) return readChunks(incoming, limits)
  const body: Uint8Array = incoming.read() ?? NOTHING
  // Its end is still to be read.
  incoming.resume()
  return body
}

const NOTHING = new Uint8Array()

/** Null where the head does not tell: a length means nothing beside a transfer encoding (RFC 9112, section 6.3). */
export function announcedLength(c: Context): number | null {
  const length = c.req.header('Content-Length')
  if (length === undefined || c.req.header('Transfer-Encoding') !== undefined) return null
  return /^\d+$/.test(length) ? Number(length) : null
}

function readChunks(incoming: IncomingMessage, { bytes, ms }: BodyLimits): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const take = (chunk: Buffer) => {
      size += chunk.byteLength
      if (size > bytes) fail(tooLarge(bytes))
      else chunks.push(chunk)
    }
    const end = () => {
      leave()
      resolve(Buffer.concat(chunks, size))
    }
    const breakOff = () => fail(brokenOff())
    const fail = (refusal: Refusal) => {
      leave()
      // What nobody reads is left to whoever closes the connection.
      incoming.pause()
      reject(refusal)
    }
    const timer = setTimeout(() => fail(tooSlow(ms)), ms)
    const leave = () => {
      clearTimeout(timer)
      incoming.off('data', take).off('end', end).off('error', breakOff).off('close', breakOff)
    }
    incoming.on('data', take).on('end', end).on('error', breakOff).on('close', breakOff)
    if (incoming.destroyed) breakOff()
  })
}

/** Where there is nothing but the Request. */
async function readStream(c: Context, { bytes, ms }: BodyLimits): Promise<Uint8Array> {
  let body = new ArrayBuffer(0)
  const limit = bodyLimit({
    maxSize: bytes,
    onError: () => {
      throw tooLarge(bytes)
    },
  })
  const reading = limit(c, async () => {
    body = await c.req.arrayBuffer()
  })
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(tooSlow(ms)), ms)
  try {
    await Promise.race([reading, late])
  } finally {
    clearTimeout(timer)
  }
  return new Uint8Array(body)
}

const tooSlow = (ms: number) =>
  new Refusal('body_too_slow', `The body did not arrive within ${ms / 1000} s.`, {
    facts: { limit: ms / 1000 },
    fix: 'Send it again, whole and at once.',
    headers: { Connection: 'close' },
  })

const tooLarge = (bytes: number) =>
  new Refusal('body_too_large', `The body is over ${bytes} bytes.`, {
    facts: { limit: bytes },
    fix: 'Send less in one request.',
    // The rest of the body is not read, so nothing can follow it.
    headers: { Connection: 'close' },
  })

const brokenOff = () =>
  new Refusal('invalid_json', 'The body broke off before its end.', { fix: 'Send it again, whole.' })
