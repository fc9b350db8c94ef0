// Makes what an attacker would send: any header and payload, in any encoding, under any key. Signs with the server's
// own key too, to show what is refused although the signature holds. Knows nothing of the verifiers.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { type PrivateKey, signBytes } from '../../src/mint/ed25519.ts'

export type Json = Record<string, unknown>

/** Signs bytes; the server's private keys cannot be exported, so a key is what it does. */
export type Signer = (bytes: Uint8Array) => Promise<Uint8Array> | Uint8Array

export const base64url = (value: string | Uint8Array): string => Buffer.from(value).toString('base64url')
const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** A compact JWS; strings are taken as the JSON text itself, bytes as they are. */
export async function forgeJws(signer: Signer, header: unknown, payload: unknown): Promise<string> {
  const body = payload instanceof Uint8Array ? payload : asText(payload)
  const input = `${base64url(asText(header))}.${base64url(body)}`
  return `${input}.${base64url(await signer(Buffer.from(input)))}`
}

/** A two-part raw object. */
export async function forgeRaw(signer: Signer, payload: unknown): Promise<string> {
  const bytes = Buffer.from(asText(payload))
  return `${base64url(bytes)}.${base64url(await signer(bytes))}`
}

/** Signs any bytes with a key of the server's own. */
export const serverSigner =
  (key: PrivateKey): Signer =>
  (bytes) =>
    signBytes(key, bytes)

/** A key of the attacker's own. */
export function strangerKey(): { signer: Signer; x: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    signer: (bytes) => sign(null, bytes, privateKey),
    x: String(publicKey.export({ format: 'jwk' }).x),
  }
}

/** HMAC with something public as its secret: the classic confusion of algorithms. */
export const hmacSigner =
  (algorithm: 'sha256' | 'sha384' | 'sha512', secret: string | Uint8Array): Signer =>
  (bytes) =>
    createHmac(algorithm, secret).update(bytes).digest()

/** Order of the base point (RFC 8032, section 5.1), little-endian arithmetic on the second half of a signature. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n

/** The same signature with S + L for S: a verifier that does not check S < L takes both. */
export function malleated(signature: Uint8Array): Uint8Array {
  const s = Buffer.from(signature.subarray(32)).reverse().toString('hex')
  const raised = (BigInt(`0x${s}`) + L).toString(16).padStart(64, '0')
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(raised, 'hex').reverse()])
}

/** The points of small order (as in libsodium's list), with either sign: under them one signature fits many texts. */
export const SMALL_ORDER_POINTS: readonly Uint8Array<ArrayBuffer>[] = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
].flatMap((hex) => {
  const positive = new Uint8Array(Buffer.from(hex, 'hex'))
  const negative = positive.slice()
  negative[31] = (negative[31] ?? 0) | 0x80
  return [positive, negative]
})
