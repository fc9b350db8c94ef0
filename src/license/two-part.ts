// Verifies raw objects of the form base64url(payload).base64url(signature), Ed25519 over the payload bytes.
// They carry no kid (T4): each `raw` key of the product is tried. Knows no members.
import { decodeBase64url } from './base64.ts'
import { MAX_TOKEN_LENGTH } from './compact-jws.ts'
import { type JsonObject, parseJsonObject } from './json.ts'
import { checkKey } from './key-choice.ts'
import { type Steps, verifySteps } from './steps.ts'
import type { TrustedKey, TrustedKeys } from './trusted-keys.ts'
import { type Refused, refused } from './verified.ts'

export interface RawExpectation {
  /** Product code. */
  product: string
  keys: TrustedKeys
  /** Whether a retired key still verifies: old offline grants (T4). */
  acceptRetired: boolean
}

export interface VerifiedRaw {
  ok: true
  payload: JsonObject
  key: TrustedKey<'raw'>
}

const SIGNATURE_BYTES = 64
const OPENING_BRACE = 0x7b

/** Form, then the signature under one of the product's raw keys, then the payload and the product it names. */
export function* twoPartSteps(token: string, expected: RawExpectation): Steps<VerifiedRaw | Refused> {
  if (typeof token !== 'string') return refused('wrong_form')
  if (token.length > MAX_TOKEN_LENGTH) return refused('too_large')
  const [encodedPayload, encodedSignature, ...rest] = token.split('.', 3)
  if (!encodedPayload || !encodedSignature || rest.length > 0) return refused('wrong_form')
  const bytes = decodeBase64url(encodedPayload)
  const signature = decodeBase64url(encodedSignature)
  if (!bytes || !signature) return refused('bad_encoding')
  // Sets raw payloads apart from JWS inputs, which begin with `eyJ`.
  if (bytes[0] !== OPENING_BRACE) return refused('wrong_form')
  if (signature.length !== SIGNATURE_BYTES) return refused('bad_signature')
  const found = yield* findVerifyingKey(bytes, signature, expected)
  if (!found.ok) return found
  const parsed = parseJsonObject(bytes)
  if (!parsed.ok) return parsed
  const payload = parsed.value
  if (payload.product !== found.key.product) return refused('wrong_product')
  if (typeof payload.issued_at === 'number' && payload.issued_at < found.key.nbf) {
    return refused('key_not_yet_valid', found.key.kid)
  }
  return { ok: true, payload, key: found.key }
}

/** `twoPartSteps` with WebCrypto. */
export function verifyTwoPart(token: string, expected: RawExpectation): Promise<VerifiedRaw | Refused> {
  return verifySteps(twoPartSteps(token, expected))
}

function* findVerifyingKey(
  data: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
  expected: RawExpectation,
): Steps<{ ok: true; key: TrustedKey<'raw'> } | Refused> {
  let refusal: Refused | undefined
  let tried = false
  for (const candidate of expected.keys.values()) {
    if (candidate.product !== expected.product || candidate.use !== 'raw') continue
    const chosen = checkKey(candidate, 'raw', expected)
    if (!chosen.ok) {
      refusal = chosen
      continue
    }
    tried = true
    if (yield { key: chosen.key, signature, data }) return chosen
  }
  return tried ? refused('bad_signature') : (refusal ?? refused('unknown_key'))
}
