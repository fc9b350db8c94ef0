// The text form of bearer credentials: kind prefix, random body, checksum. Stores, hashes and looks up nothing.
import { createHash } from 'node:crypto'
import { type RandomBytes, randomBytes } from './random.ts'

export type CredentialKind = 'api_key' | 'instance_token' | 'relay_key' | 'admin_key' | 'enrolment_code'

export const CREDENTIAL_PREFIXES: Readonly<Record<CredentialKind, string>> = {
  api_key: 'sk-',
  instance_token: 'lit_',
  relay_key: 'lrk_',
  admin_key: 'lak_',
  /** Enrols one relay, once; sent in the body of that request alone. */
  enrolment_code: 'lre_',
}

const KINDS = Object.keys(CREDENTIAL_PREFIXES) as CredentialKind[]
// Letters and digits only: a credential is selected whole by a double click and survives every shell and URL.
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const SECRET_BYTES = 32
const BODY_LENGTH = 43
const CHECKSUM_LENGTH = 6
const SHOWN_LENGTH = 8
const REST = /^[0-9A-Za-z]{49}$/
const COMPACT_JWS = /^eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** A new credential: `secret` is shown once; `prefix` (kind prefix and 8 characters) may be shown and logged. */
export function mintCredential(
  kind: CredentialKind,
  random: RandomBytes = randomBytes,
): { secret: string; prefix: string } {
  const start = CREDENTIAL_PREFIXES[kind]
  const body = base62(random(SECRET_BYTES), BODY_LENGTH)
  return {
    secret: `${start}${body}${checksum(start, body)}`,
    prefix: `${start}${body.slice(0, SHOWN_LENGTH)}`,
  }
}

/** The kind of a Bearer credential, told by its prefix alone; else a JWT if it has that form (T8); else null. */
export function credentialKind(text: string): CredentialKind | 'jwt' | null {
  const kind = KINDS.find((candidate) => text.startsWith(CREDENTIAL_PREFIXES[candidate]))
  if (kind) return kind
  return COMPACT_JWS.test(text) ? 'jwt' : null
}

/** Whether the text can be a credential of that kind: length, alphabet and checksum. Ask before any query. */
export function wellFormed(kind: CredentialKind, text: string): boolean {
  const start = CREDENTIAL_PREFIXES[kind]
  if (!text.startsWith(start)) return false
  const rest = text.slice(start.length)
  return REST.test(rest) && rest.slice(BODY_LENGTH) === checksum(start, rest.slice(0, BODY_LENGTH))
}

/** Finds typing errors, proves nothing: anyone can compute it. Covers the prefix, so kinds do not mix. */
function checksum(start: string, body: string): string {
  const digest = createHash('sha256').update(`${start}${body}`).digest()
  return base62(digest, CHECKSUM_LENGTH)
}

/** The bytes as one number in base 62, its last `length` digits. */
function base62(bytes: Uint8Array, length: number): string {
  let number = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  let text = ''
  for (let i = 0; i < length; i++) {
    text = ALPHABET.charAt(Number(number % 62n)) + text
    number /= 62n
  }
  return text
}
