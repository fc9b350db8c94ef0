// Verification apart from this project's code: node:crypto and the published documents alone.
import { createPublicKey, verify } from 'node:crypto'
import type { Call } from './app.ts'

// biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of a payload.
type Json = any

/** Header and payload of a license JWT whose signature the published JWK set verifies; throws otherwise. */
export async function verifyByJwks(call: Call, token: string): Promise<{ header: Json; payload: Json }> {
  const { body } = await call('GET', '/.well-known/jwks.json')
  return verified(token, (kid) => body.keys.find((key: { kid: string }) => key.kid === kid), 'the JWK set')
}

/**
 * Header and payload of what a control key signs, such as a directive: those keys stand in the root-signed set alone.
 * Whether the root signed that set is no concern here. Throws where the signature does not hold.
 */
export async function verifyByKeySet(call: Call, token: string): Promise<{ header: Json; payload: Json }> {
  const { text } = await call('GET', '/.well-known/leasehold-keys')
  const { keys } = decode(text.split('.')[1] ?? '')
  const ofKid = (kid: string) =>
    keys.find((key: { kid: string; use: string }) => key.kid === kid && key.use === 'control')
  const jwk = (kid: string) => ofKid(kid) && { kty: 'OKP', crv: 'Ed25519', x: ofKid(kid).x }
  return verified(token, jwk, 'the key set')
}

function verified(token: string, jwkOf: (kid: string) => Json, where: string) {
  const [head = '', claims = '', signature = ''] = token.split('.')
  const header = decode(head)
  const jwk = jwkOf(header.kid)
  if (!jwk) throw new Error(`no key ${header.kid} in ${where}`)
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  if (!verify(null, Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, 'base64url'))) {
    throw new Error('the signature does not hold')
  }
  return { header, payload: decode(claims) }
}

/** Payload of a two-part object that the product's raw key verifies; throws otherwise. */
export async function verifyRaw(call: Call, product: string, token: string): Promise<Json> {
  const { body } = await call('GET', `/api/v1/signing-key?product=${product}`)
  const spki = Buffer.from(`302a300506032b6570032100${body.public_key}`, 'hex')
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  const [payload = '', signature = ''] = token.split('.')
  const bytes = Buffer.from(payload, 'base64url')
  if (!verify(null, bytes, key, Buffer.from(signature, 'base64url'))) {
    throw new Error('the signature does not hold')
  }
  return JSON.parse(bytes.toString())
}

/** What a token says, unverified. */
export const claimsOf = (jwt: string): Json => decode(jwt.split('.')[1] ?? '')

const decode = (part: string): Json => JSON.parse(Buffer.from(part, 'base64url').toString())
