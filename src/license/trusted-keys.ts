// Public keys in memory: what each may verify, and how it comes in. Trust itself is the caller's word.
import type { KeySetKey, KeyStatus, KeyUse } from '../contract/claims.ts'
import { decodeBase64url, encodeBase64url } from './base64.ts'
import { isJsonObject } from './json.ts'
import { type Refused, refused, type UnixSeconds } from './verified.ts'

/** A WebCrypto public key, on every runtime. */
export type PublicKey = InstanceType<typeof CryptoKey>

/** Any key that verifies; what it may verify is its kind's. */
export interface VerifyingKey {
  kid: string
  publicKey: PublicKey
  /** The same key as its raw 32 bytes. */
  raw: Uint8Array<ArrayBuffer>
}

/** A key of one product and one use (T4). */
export interface TrustedKey<Use extends KeyUse = KeyUse> extends VerifyingKey {
  product: string
  use: Use
  status: KeyStatus
  /** Nothing issued before this second is this key's. */
  nbf: UnixSeconds
}

/** A pinned root: verifies key sets, and nothing else (T4). */
export interface RootKey extends VerifyingKey {
  use: 'root'
}

/** A relay's own key, as an allotment names it: verifies that relay's leases, and nothing else. */
export interface RelayKey extends VerifyingKey {
  use: 'relay'
}

export type TrustedKeys = ReadonlyMap<string, TrustedKey>

/** What is known of a key beside its bytes. */
export type KeyRole = Omit<KeySetKey, 'kid' | 'x'>

const ED25519 = 'Ed25519'
const KEY_BYTES = 32

/** Imports one key of a product. Refuses `bad_key`. Without `kid`, the thumbprint names it. */
export async function importTrustedKey(
  raw: Uint8Array,
  role: KeyRole,
  kid?: string,
): Promise<{ ok: true; key: TrustedKey } | Refused> {
  const key = await importVerifyingKey(raw, kid)
  if (!key) return refused('bad_key', kid)
  const { product, use, status, nbf } = role
  return { ok: true, key: { ...key, product, use, status, nbf } }
}

/** Imports one pinned root from its raw 32 bytes; its `kid` is its thumbprint. Refuses `bad_key`. */
export async function importRootKey(raw: Uint8Array): Promise<{ ok: true; key: RootKey } | Refused> {
  const key = await importVerifyingKey(raw)
  return key ? { ok: true, key: { ...key, use: 'root' } } : refused('bad_key')
}

/** Imports a relay's key from its raw 32 bytes; its `kid` is its thumbprint. Refuses `bad_key`. */
export async function importRelayKey(raw: Uint8Array): Promise<{ ok: true; key: RelayKey } | Refused> {
  const key = await importVerifyingKey(raw)
  return key ? { ok: true, key: { ...key, use: 'relay' } } : refused('bad_key')
}

/** The raw bytes of an Ed25519 public JWK (RFC 8037). Null for any other key, and for a private one. */
export function rawFromJwk(jwk: unknown): Uint8Array<ArrayBuffer> | null {
  if (!isJsonObject(jwk) || jwk.kty !== 'OKP' || jwk.crv !== ED25519 || 'd' in jwk) return null
  const raw = typeof jwk.x === 'string' ? decodeBase64url(jwk.x) : null
  return raw?.length === KEY_BYTES ? raw : null
}

/** Keys by `kid`. Throws a RangeError if two keys share a `kid` or its bytes: each has one product and use (T4). */
export function trustKeys(keys: Iterable<TrustedKey>): TrustedKeys {
  const trusted = new Map<string, TrustedKey>()
  const seen = new Set<string>()
  for (const key of keys) {
    const x = encodeBase64url(key.raw)
    if (trusted.has(key.kid) || seen.has(x)) throw new RangeError(`key ${key.kid} is trusted twice`)
    trusted.set(key.kid, key)
    seen.add(x)
  }
  return trusted
}

/** RFC 7638 thumbprint of an Ed25519 public key (members as in RFC 8037, section 2), base64url. */
export async function keyThumbprint(raw: Uint8Array): Promise<string> {
  const input = new TextEncoder().encode(thumbprintInput(raw))
  return encodeBase64url(new Uint8Array(await crypto.subtle.digest('SHA-256', input)))
}

/** What a thumbprint is the SHA-256 of, as text. */
export function thumbprintInput(raw: Uint8Array): string {
  return `{"crv":"${ED25519}","kty":"OKP","x":"${encodeBase64url(raw)}"}`
}

async function importVerifyingKey(bytes: Uint8Array, kid?: string): Promise<VerifyingKey | null> {
  if (bytes.length !== KEY_BYTES) return null
  const raw = new Uint8Array(bytes)
  try {
    const publicKey = await crypto.subtle.importKey('raw', raw, { name: ED25519 }, true, ['verify'])
    return { kid: kid ?? (await keyThumbprint(raw)), publicKey, raw }
  } catch {
    return null
  }
}

/** Whether `signature` is this key's over `data`. Ed25519 (RFC 8032), 64 bytes. */
export function checkSignature(
  key: VerifyingKey,
  signature: Uint8Array<ArrayBuffer>,
  data: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  return crypto.subtle.verify(ED25519, key.publicKey, signature, data)
}
