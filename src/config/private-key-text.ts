// An Ed25519 private key as text: PKCS#8 in PEM or base64. Opens it; never repeats it.
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { Reading } from './reading.ts'

export interface PrivateKeyBytes {
  /** DER. */
  readonly pkcs8: Uint8Array
  /** The raw 32 bytes in lower-case hex. */
  readonly publicKey: string
}

/** Opens the text; what is `wrong` with it holds nothing of the text. */
export function readPrivateKeyText(text: string): Reading<PrivateKeyBytes> {
  const key = text.startsWith('-----BEGIN') ? fromPem(text) : fromBase64(text)
  if (key === null) return { wrong: 'is not a private key in PKCS#8' }
  if (key.asymmetricKeyType !== 'ed25519') return { wrong: 'is a private key of another kind than Ed25519' }
  const pkcs8 = new Uint8Array(key.export({ format: 'der', type: 'pkcs8' }))
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return { value: { pkcs8, publicKey: spki.subarray(-32).toString('hex') } }
}

/** Environment files keep line ends as `\n` in two characters. */
function fromPem(text: string): KeyObject | null {
  return opened(() => createPrivateKey({ key: text.replaceAll('\\n', '\n'), format: 'pem' }))
}

function fromBase64(text: string): KeyObject | null {
  const der = Buffer.from(text, 'base64')
  if (der.length === 0 || der.toString('base64').replace(/=+$/, '') !== text.replaceAll(/\s|=+$/g, ''))
    return null
  return opened(() => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
}

function opened(open: () => KeyObject): KeyObject | null {
  try {
    return open()
  } catch {
    return null
  }
}
