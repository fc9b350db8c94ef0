// Wrapping of secrets at rest: AES-256-GCM under the master key. Does not keep keys or know what is wrapped.
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { randomBytes } from './random.ts'

const VERSION = 'v1'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * `v1.<nonce>.<ciphertext and tag>` in base64url. `additionalData` names the row (product, kid, use), so that a
 * sealed value moved to another row does not open. Throws a RangeError when the master key is not 32 bytes.
 */
export function seal(masterKey: Uint8Array, additionalData: string, plaintext: Uint8Array): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', checked(masterKey), nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(bound(additionalData))
  const body = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  return `${VERSION}.${Buffer.from(nonce).toString('base64url')}.${body.toString('base64url')}`
}

/** The plaintext, or null when it does not open: another master key, another row's value, or changed text. */
export function open(masterKey: Uint8Array, additionalData: string, sealed: string): Uint8Array | null {
  const key = checked(masterKey)
  const [version, nonceText, bodyText, ...more] = sealed.split('.')
  if (version !== VERSION || nonceText === undefined || bodyText === undefined || more.length > 0) return null
  const nonce = decode(nonceText)
  const body = decode(bodyText)
  if (nonce?.length !== NONCE_BYTES || body === null || body.length < TAG_BYTES) return null
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(bound(additionalData))
  decipher.setAuthTag(body.subarray(-TAG_BYTES))
  const start = decipher.update(body.subarray(0, -TAG_BYTES))
  try {
    return new Uint8Array(Buffer.concat([start, decipher.final()]))
  } catch {
    return null
  }
}

function checked(masterKey: Uint8Array): Uint8Array {
  if (masterKey.length !== KEY_BYTES) throw new RangeError('a master key has 32 bytes')
  return masterKey
}

/** The version is bound too: a later form can never be read as this one. */
function bound(additionalData: string): Buffer {
  return Buffer.from(JSON.stringify(['leasehold-seal', VERSION, additionalData]))
}

/** Strict base64url: only the one text that the bytes encode to. */
function decode(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : null
}
