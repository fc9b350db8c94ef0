// Private keys in memory, and the one place that signs with them. For mint/ alone: everybody else signs an object (T4).
// node:crypto, because it needs the least processor time for a signature: `npm run bench -- signing` compares.
import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'

/** Stands for a private key that is kept here, and that nobody else can use, show or export. */
export interface PrivateKey {
  readonly alg: 'Ed25519'
}

const kept = new WeakMap<PrivateKey, KeyObject>()

/** Opens PKCS#8 DER; `x` is the public half in base64url. Throws for anything but an Ed25519 private key. */
export function openPrivateKey(pkcs8: Uint8Array): { privateKey: PrivateKey; x: string } {
  const opened = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  const { crv, x } = createPublicKey(opened).export({ format: 'jwk' })
  if (crv !== 'Ed25519' || x === undefined) throw new TypeError('not an Ed25519 key')
  const privateKey: PrivateKey = Object.freeze({ alg: 'Ed25519' })
  kept.set(privateKey, opened)
  return { privateKey, x }
}

/** The 64 bytes of a signature (RFC 8032) over `data`. */
export function signBytes(privateKey: PrivateKey, data: Uint8Array): Buffer {
  const opened = kept.get(privateKey)
  if (!opened) throw new TypeError('not a private key that was opened here')
  return sign(null, data, opened)
}
