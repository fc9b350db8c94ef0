// Digests, keyed digests and comparison. Knows nothing of what is hashed.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** SHA-256 in lower-case hex; text is taken as UTF-8. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/**
 * HMAC-SHA-256 in lower-case hex over a list of texts. The first part names the purpose, so that a digest made
 * for one purpose is never valid for another.
 */
export function hmacSha256(key: Uint8Array, ...parts: string[]): string {
  // JSON of an array of strings is injective, lone surrogates included: no two lists share an encoding.
  return createHmac('sha256', key).update(JSON.stringify(parts)).digest('hex')
}

/** Compares in time that depends on the lengths only. */
export function constantTimeEqual(a: string, b: string): boolean {
  const left = Buffer.from(a, 'utf16le')
  const right = Buffer.from(b, 'utf16le')
  return left.length === right.length && timingSafeEqual(left, right)
}
