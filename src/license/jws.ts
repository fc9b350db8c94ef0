// Verifies a compact JWS against a product's trusted keys (T4). Reads no claim but `aud` and when it
// was signed, which bind it to its key.
import { ALLOTMENT_TYP, KEY_USE_OF_TYP, type ProductTyp } from '../contract/claims.ts'
import { checkCompactJws, readCompactJws } from './compact-jws.ts'
import type { JsonObject } from './json.ts'
import { checkKey } from './key-choice.ts'
import { type Steps, verifySteps } from './steps.ts'
import type { TrustedKey, TrustedKeys } from './trusted-keys.ts'
import { type JwsHeader, type Refused, refused } from './verified.ts'

export interface JwsExpectation {
  typ: ProductTyp
  /** Product code; null takes the product that the key belongs to (the server, which trusts all its own keys). */
  product: string | null
  keys: TrustedKeys
  /** Whether a retired key still verifies: at refresh and for old offline grants only (T4). */
  acceptRetired: boolean
}

export interface VerifiedJws {
  ok: true
  payload: JsonObject
  header: JwsHeader
  key: TrustedKey<'license' | 'control'>
}

/**
 * Form and header, then the key's product, use and status, then the signature, then the payload. A key's `nbf` is
 * held against the signed `iat`, so that a wrong clock here decides nothing (T7).
 */
export function* jwsSteps(token: string, expected: JwsExpectation): Steps<VerifiedJws | Refused> {
  const jws = readCompactJws(token, expected.typ)
  if (!jws.ok) return jws
  const found = expected.keys.get(jws.header.kid)
  if (!found) return refused('unknown_key', jws.header.kid)
  const chosen = checkKey(found, KEY_USE_OF_TYP[expected.typ], expected)
  if (!chosen.ok) return chosen
  const checked = yield* checkCompactJws(jws, chosen.key)
  if (!checked.ok) return checked
  const { payload } = checked
  if (payload.aud !== chosen.key.product) return refused('wrong_audience')
  const signedAt = expected.typ === ALLOTMENT_TYP ? payload.nbf : payload.iat
  if (typeof signedAt === 'number' && signedAt < chosen.key.nbf) {
    return refused('key_not_yet_valid', chosen.key.kid)
  }
  return { ok: true, payload, header: jws.header, key: chosen.key }
}

/** `jwsSteps` with WebCrypto. */
export function verifyJws(token: string, expected: JwsExpectation): Promise<VerifiedJws | Refused> {
  return verifySteps(jwsSteps(token, expected))
}
