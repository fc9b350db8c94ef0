// Keys as an option or a file gives them: an Ed25519 key in any of its usual forms. Never repeats a private one.
import { createPublicKey, type KeyObject } from 'node:crypto'
import { readPrivateKeyText } from '../config/private-key-text.ts'
import { decodeBase64url } from '../license/base64.ts'
import { rawFromJwk } from '../license/trusted-keys.ts'
import { StartError } from '../platform/start-error.ts'
import { contentOf } from './files.ts'

/** The DER of a SubjectPublicKeyInfo with an Ed25519 key (RFC 8410), before the key itself. */
export const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

const PRIVATE_FORMS = 'Give an Ed25519 private key in PKCS#8, as PEM or base64, or the file that holds one.'
const PUBLIC_FORMS =
  'Give an Ed25519 public key as PEM, base64 SPKI, JWK or 64 hex digits, or the file that holds one.'

/** A private key, itself or by its file. Resolves to PKCS#8 DER. @throws StartError without a word of the key */
export async function readPrivateKey(given: string, option: string): Promise<Uint8Array> {
  const inline = readPrivateKeyText(given.trim())
  if ('value' in inline) return inline.value.pkcs8
  if (given.startsWith('-----BEGIN')) throw new StartError(`${option} ${inline.wrong}.`, PRIVATE_FORMS)
  const read = readPrivateKeyText((await namedFile(given, option)).trim())
  if ('value' in read) return read.value.pkcs8
  throw new StartError(`${option}: the content of the file ${read.wrong}.`, PRIVATE_FORMS)
}

/** A public key, itself or by its file. Resolves to its raw 32 bytes. @throws StartError */
export async function readPublicKey(given: string, option: string): Promise<Uint8Array<ArrayBuffer>> {
  const raw = publicKeyOf(given.trim()) ?? publicKeyOf((await namedFile(given, option)).trim())
  if (raw) return raw
  throw new StartError(`${option}: the content of the file is not an Ed25519 public key.`, PUBLIC_FORMS)
}

/** The raw 32 bytes of a public key in any form; null for anything else, a private key too. */
export function publicKeyOf(text: string): Uint8Array<ArrayBuffer> | null {
  if (/^[0-9a-f]{64}$/i.test(text)) return new Uint8Array(Buffer.from(text, 'hex'))
  if (/^[\w-]{43}$/.test(text)) return decodeBase64url(text)
  if (text.startsWith('{')) return fromJwk(text)
  if (text.startsWith('-----BEGIN')) {
    return text.startsWith('-----BEGIN PUBLIC KEY-----') ? fromSpki(text) : null
  }
  const der = Buffer.from(text, 'base64')
  return der.toString('base64') === text ? fromSpki(der) : null
}

function fromJwk(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return rawFromJwk(JSON.parse(text))
  } catch {
    return null
  }
}

function fromSpki(encoded: string | Buffer): Uint8Array<ArrayBuffer> | null {
  let key: KeyObject
  try {
    key =
      typeof encoded === 'string'
        ? createPublicKey(encoded)
        : createPublicKey({ key: encoded, format: 'der', type: 'spki' })
  } catch {
    return null
  }
  if (key.asymmetricKeyType !== 'ed25519') return null
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }).subarray(-32))
}

/** A mistyped key must not come back in an error as the name of a missing file. */
async function namedFile(given: string, option: string): Promise<string> {
  try {
    return await contentOf(given)
  } catch {
    throw new StartError(
      `${option} is neither a key nor a file that can be read.`,
      option === '--public-key' ? PUBLIC_FORMS : PRIVATE_FORMS,
    )
  }
}
