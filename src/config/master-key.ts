// The master key's text form. Where the key comes from and what it opens is decided elsewhere.
import type { Reader } from './reading.ts'

const KEY_BYTES = 32

/** 32 bytes in base64 or base64url, padded or not; nothing that only almost decodes. */
export const readMasterKey: Reader<Uint8Array> = (text) => {
  const bytes = Buffer.from(text, 'base64')
  const canonical = bytes.toString('base64url')
  if (
    text
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replace(/={0,2}$/, '') !== canonical
  ) {
    return { wrong: 'is not base64' }
  }
  if (bytes.length !== KEY_BYTES) return { wrong: `decodes to ${bytes.length} bytes` }
  if (bytes.every((byte) => byte === bytes[0])) return { wrong: 'is one byte repeated, not a random key' }
  return { value: new Uint8Array(bytes) }
}
