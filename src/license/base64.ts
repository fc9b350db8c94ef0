// Strict base64 and base64url (RFC 4648): one text for each sequence of bytes, anything else is refused.

const URL_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const STANDARD_ALPHABET = `${URL_ALPHABET.slice(0, 62)}+/`
const PAD = '='.charCodeAt(0)
const NONE = 255

function codes(alphabet: string): Uint8Array {
  return Uint8Array.from(alphabet, (character) => character.charCodeAt(0))
}

function values(alphabet: string): Uint8Array {
  const table = new Uint8Array(128).fill(NONE)
  for (let i = 0; i < alphabet.length; i++) table[alphabet.charCodeAt(i)] = i
  return table
}

const URL_CODES = codes(URL_ALPHABET)
const URL_VALUES = values(URL_ALPHABET)
const STANDARD_CODES = codes(STANDARD_ALPHABET)
const STANDARD_VALUES = values(STANDARD_ALPHABET)
const ascii = new TextDecoder()

/** Decodes `length` characters of `text`; null where a character is foreign or a left-over bit is set. */
function decode(text: string, length: number, table: Uint8Array): Uint8Array<ArrayBuffer> | null {
  if (length % 4 === 1) return null
  const bytes = new Uint8Array(Math.floor((length * 3) / 4))
  let buffer = 0
  let bits = 0
  let at = 0
  for (let i = 0; i < length; i++) {
    const value = table[text.charCodeAt(i)] ?? NONE
    if (value === NONE) return null
    buffer = ((buffer << 6) | value) & 0xffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = buffer >> bits
    }
  }
  return (buffer & ((1 << bits) - 1)) === 0 ? bytes : null
}

function encode(bytes: Uint8Array, table: Uint8Array, padded: boolean): string {
  const exact = Math.ceil((bytes.length * 4) / 3)
  const out = new Uint8Array(padded ? Math.ceil(bytes.length / 3) * 4 : exact).fill(PAD)
  for (let i = 0, at = 0; at < exact; i += 3) {
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    for (let shift = 18; shift >= 0 && at < exact; shift -= 6) out[at++] = table[(group >> shift) & 63] ?? PAD
  }
  return ascii.decode(out)
}

/** Base64url without padding. Null unless encoding the bytes again gives the same text. */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | null {
  return decode(text, text.length, URL_VALUES)
}

/** Standard base64 with padding. Null unless encoding the bytes again gives the same text. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | null {
  if (text.length % 4 !== 0) return null
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  return decode(text, text.length - padding, STANDARD_VALUES)
}

/** Base64url without padding, as in JWS (RFC 7515, section 2). */
export function encodeBase64url(bytes: Uint8Array): string {
  return encode(bytes, URL_CODES, false)
}

/** Standard base64 with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  return encode(bytes, STANDARD_CODES, true)
}
