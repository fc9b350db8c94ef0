// Pinned keys as a vendor writes them: hex, base64url or SPKI in base64. Reads text; trusts nothing by itself.
import { decodeBase64, decodeBase64url } from '../../license/base64.ts'

/** DER of an Ed25519 SubjectPublicKeyInfo up to its 32 key bytes (RFC 8410). */
const SPKI_PREFIX = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]

/** The raw 32 bytes; null for anything else. */
export function readPublicKey(text: unknown): Uint8Array<ArrayBuffer> | null {
  if (typeof text !== 'string') return null
  if (/^[0-9a-fA-F]{64}$/.test(text)) {
    return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
  }
  if (text.length === 43) return decodeBase64url(text)
  const der = text.length === 60 ? decodeBase64(text) : null
  if (der?.length !== 44 || !SPKI_PREFIX.every((byte, i) => der[i] === byte)) return null
  return der.slice(SPKI_PREFIX.length)
}
