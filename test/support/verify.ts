// Verification apart from this project's code: node:crypto and the published documents alone.
import { createPublicKey, verify } from 'node:crypto'
import type { Call } from './app.ts'

// biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of a payload.
type Json = any

/** Header and payload of a compact JWS whose signature the published JWK set verifies; throws otherwise. */
export async function verifyByJwks(call: Call, token: string): Promise<{ header: Json; payload: Json }> {
  const { body } = await call('GET', '/.well-known/jwks.json')
  const [head = '', claims = '', signature = ''] = token.split('.')
  const header = decode(head)
  const jwk = body.keys.find((key: { kid: string }) => key.kid === header.kid)
  if (!jwk) throw new Error(`no key ${header.kid} in the JWK set`)
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
