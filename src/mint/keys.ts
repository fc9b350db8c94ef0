// Private keys with what they are for: how one is made, opened and bound to its one product and use (T4). Stores nothing.
import { createHash } from 'node:crypto'
import type { KeyUse } from '../contract/claims.ts'
import { keyThumbprint, thumbprintInput } from '../license/trusted-keys.ts'
import { openPrivateKey, type PrivateKey } from './ed25519.ts'

interface OpenKey {
  /** The public key's thumbprint (RFC 7638). */
  kid: string
  /** The public key's raw 32 bytes. */
  publicKey: Uint8Array<ArrayBuffer>
  privateKey: PrivateKey
}

/** A product's key with its one use: each use is a type of its own, and signs no other's objects. */
export interface SigningKey<Use extends KeyUse = KeyUse> extends OpenKey {
  product: string
  use: Use
}

/** The key that signs key sets, and nothing else. It belongs to no product. */
export interface RootSigningKey extends OpenKey {
  use: 'root'
}

/** A fresh pair as bytes, to be sealed and stored. `privateKey` is PKCS#8 DER, `publicKey` the raw 32 bytes. */
export interface KeyPairBytes {
  kid: string
  publicKey: Uint8Array<ArrayBuffer>
  privateKey: Uint8Array<ArrayBuffer>
}

/** Makes an Ed25519 pair; `kid` is its thumbprint (RFC 7638, RFC 8037). */
export async function generateKeyPair(): Promise<KeyPairBytes> {
  const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new TypeError('the platform made no Ed25519 key pair')
  const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey))
  const privateKey = new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey))
  return { kid: await keyThumbprint(publicKey), publicKey, privateKey }
}

/** Opens a product's key from PKCS#8 DER. Throws a TypeError if the bytes hold no Ed25519 private key. */
export function openSigningKey<Use extends KeyUse>(
  pkcs8: Uint8Array,
  { product, use }: { product: string; use: Use },
): SigningKey<Use> {
  return { ...openKey(pkcs8), product, use }
}

/** Opens the root key from PKCS#8 DER. Throws a TypeError if the bytes hold no Ed25519 private key. */
export function openRootKey(pkcs8: Uint8Array): RootSigningKey {
  return { ...openKey(pkcs8), use: 'root' }
}

function openKey(pkcs8: Uint8Array): OpenKey {
  try {
    const { privateKey, x } = openPrivateKey(pkcs8)
    const publicKey = new Uint8Array(Buffer.from(x, 'base64url'))
    const kid = createHash('sha256').update(thumbprintInput(publicKey)).digest('base64url')
    return { kid, publicKey, privateKey }
  } catch {
    // The platform's own error may quote the input.
    throw new TypeError('not an Ed25519 private key in PKCS#8')
  }
}
