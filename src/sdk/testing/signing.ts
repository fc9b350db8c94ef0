// Real signatures for the test server, with keys that live as long as a test. Never a vendor's key: minting is elsewhere.
import {
  type EnvelopePayload,
  type JwsClaims,
  type JwsTyp,
  type KeySetKey,
  type KeyStatus,
  type KeyUse,
  type LicenseKeyPayload,
  SIGNATURE_ALG,
} from '../../contract/claims.ts'
import { encodeBase64, encodeBase64url } from '../../license/base64.ts'
import { keyThumbprint } from '../../license/trusted-keys.ts'

const ED25519 = 'Ed25519'
const utf8 = new TextEncoder()

export interface TestKey {
  kid: string
  /** The raw public key in base64url. */
  x: string
  sign(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array>
}

export async function makeKey(): Promise<TestKey> {
  const pair = await crypto.subtle.generateKey(ED25519, false, ['sign', 'verify'])
  if (!('publicKey' in pair)) throw new TypeError('this runtime makes no Ed25519 key pairs')
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey))
  return {
    kid: await keyThumbprint(raw),
    x: encodeBase64url(raw),
    sign: async (data) => new Uint8Array(await crypto.subtle.sign(ED25519, pair.privateKey, data)),
  }
}

/** Signs as `key`, and is no such key: what a forger without the key can do. */
export function forgedBy(stranger: TestKey, key: TestKey): TestKey {
  return { kid: key.kid, x: key.x, sign: stranger.sign }
}

export async function signJws<Typ extends JwsTyp>(
  key: TestKey,
  typ: Typ,
  claims: JwsClaims[NoInfer<Typ>],
): Promise<string> {
  const header = encodeJson({ alg: SIGNATURE_ALG, typ, kid: key.kid })
  const input = `${header}.${encodeJson(claims)}`
  return `${input}.${encodeBase64url(await key.sign(utf8.encode(input)))}`
}

export async function signLicenseKey(key: TestKey, payload: LicenseKeyPayload): Promise<string> {
  const bytes = utf8.encode(JSON.stringify(payload))
  return `${encodeBase64url(bytes)}.${encodeBase64url(await key.sign(bytes))}`
}

export async function signEnvelope(key: TestKey, payload: EnvelopePayload): Promise<string> {
  const inOrder = Object.fromEntries(Object.entries(payload).sort(([a], [b]) => (a < b ? -1 : 1)))
  const bytes = utf8.encode(JSON.stringify(inOrder))
  return `${encodeBase64(bytes)}.${encodeBase64(await key.sign(bytes))}`
}

export function keySetKey(
  key: TestKey,
  product: string,
  use: KeyUse,
  status: KeyStatus,
  nbf: number,
): KeySetKey {
  return { kid: key.kid, x: key.x, product, use, status, nbf }
}

function encodeJson(value: object): string {
  return encodeBase64url(utf8.encode(JSON.stringify(value)))
}
