// A relay as the server sees it: made by an admin, enrolled with a key of its own. No relay process runs.
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { Answer, TestApp } from './app.ts'

export interface EnrolledRelay {
  /** `rly_…`. */
  id: string
  /** `lrk_…`. */
  key: string
  /** Its public key, raw, base64url. */
  x: string
  privateKey: KeyObject
  /** A request with the relay key. */
  post: (path: string, body: unknown) => Promise<Answer>
}

export const relayJwk = (x: string) => ({ kty: 'OKP', crv: 'Ed25519', x })

export function makeRelayKey(): { x: string; privateKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { x: String(publicKey.export({ format: 'jwk' }).x), privateKey }
}

export async function enrolRelay(app: TestApp, customerId: string): Promise<EnrolledRelay> {
  const { body: made } = await app.admin('POST', '/relays', { customer_id: customerId, name: 'Plant 2' })
  const key = makeRelayKey()
  const answer = await app.call('POST', '/api/v1/relays/enroll', {
    body: { code: made.enrolment_code, public_key: relayJwk(key.x), version: '1.0.0' },
  })
  if (answer.status !== 200) throw new Error(`enroll: ${answer.status} ${answer.text}`)
  const { relay_key: bearer } = answer.body
  return {
    id: made.id,
    key: bearer,
    ...key,
    post: (path, body) => app.call('POST', path, { bearer, body }),
  }
}
