// Signatures checked with node:crypto, at once and on this thread: what a request presents, under the strict readers of
// license/. It takes less processor time than WebCrypto, and no turn of the event loop.
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { Steps } from '../../license/steps.ts'
import type { VerifyingKey } from '../../license/trusted-keys.ts'

/** Runs a verification of license/ to its end, such as `licenseJwtSteps(token, expected)`. */
export function verifyNow<T>(steps: Steps<T>): T {
  let step = steps.next()
  while (!step.done) {
    const { key, signature, data } = step.value
    step = steps.next(verify(null, data, keyObject(key), signature))
  }
  return step.value
}

/** By the raw bytes, which a key keeps when only its status changes. */
const opened = new WeakMap<Uint8Array, KeyObject>()

function keyObject({ raw }: VerifyingKey): KeyObject {
  let found = opened.get(raw)
  if (!found) {
    const x = Buffer.from(raw).toString('base64url')
    found = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    opened.set(raw, found)
  }
  return found
}
