// Private keys in memory: how one is made, opened and bound to its one product and use (T4). Stores nothing.
import type { KeyUse } from '../contract/claims.ts'
import { decodeBase64url } from '../license/base64.ts'
import { keyThumbprint } from '../license/trusted-keys.ts'

/** A WebCrypto private key that cannot be exported. */
export type PrivateKey = InstanceType<typeof CryptoKey>

interface OpenKey {
  /** The public key's thumbprint (RFC 7638). */
  kid: string
  /** The public key's raw 32 bytes. */
  publicKey: Uint8Array<ArrayBuffer>
  privateKey: PrivateKey
}

/** A product's key with its one use: `jws` and `raw` are different types, and neither signs the other's objects. */
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

const ED25519 = 'Ed25519'

/** Makes an Ed25519 pair; `kid` is its thumbprint (RFC 7638, RFC 8037). */
export async function generateKeyPair(): Promise<KeyPairBytes> {
  const pair = await crypto.subtle.generateKey(ED25519, true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new TypeError('the platform made no Ed25519 key pair')
  const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey))
  const privateKey = new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey))
  return { kid: await keyThumbprint(publicKey), publicKey, privateKey }
}

/** Opens a product's key from PKCS#8 DER. Throws a TypeError if the bytes hold no Ed25519 private key. */
export async function openSigningKey<Use extends KeyUse>(
  pkcs8: Uint8Array,
  { product, use }: { product: string; use: Use },
): Promise<SigningKey<Use>> {
  return { ...(await openKey(pkcs8)), product, use }
}

/** Opens the root key from PKCS#8 DER. Throws a TypeError if the bytes hold no Ed25519 private key. */
export async function openRootKey(pkcs8: Uint8Array): Promise<RootSigningKey> {
  return { ...(await openKey(pkcs8)), use: 'root' }
}

async function openKey(pkcs8: Uint8Array): Promise<OpenKey> {
  const bytes = new Uint8Array(pkcs8)
  try {
    // Exportable only here, for as long as it takes to learn the public half.
    const exportable = await crypto.subtle.importKey('pkcs8', bytes, { name: ED25519 }, true, ['sign'])
    const { x } = await crypto.subtle.exportKey('jwk', exportable)
    const publicKey = decodeBase64url(x ?? '')
    if (publicKey?.length !== 32) throw new TypeError('no public key')
    const privateKey = await crypto.subtle.importKey('pkcs8', bytes, { name: ED25519 }, false, ['sign'])
    return { kid: await keyThumbprint(publicKey), publicKey, privateKey }
  } catch {
    // The platform's own error may quote the input.
    throw new TypeError('not an Ed25519 private key in PKCS#8')
  }
}
