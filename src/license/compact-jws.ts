// The form of a compact JWS (RFC 7515, section 7.1), as strict as T4 asks. Chooses no key and trusts none.
import { ACTIVATION_TYP, KEY_SET_TYP, RELAY_LEASE_TYP, SIGNATURE_ALG } from '../contract/claims.ts'
import { decodeBase64url } from './base64.ts'
import { type JsonObject, parseJsonObject } from './json.ts'
import type { Steps } from './steps.ts'
import type { RelayKey, RootKey, TrustedKey } from './trusted-keys.ts'
import { type JwsHeader, type Refused, refused } from './verified.ts'

/** Characters. No other signed object comes near it. */
export const MAX_TOKEN_LENGTH = 65_536
const LONGER: Readonly<Record<string, number>> = {
  /** A key set names every key that still verifies something: some 1,300 of them. */
  [KEY_SET_TYP]: 262_144,
  /** A relay lease holds a whole allotment, in base64url once more. */
  [RELAY_LEASE_TYP]: 90_112,
  /** An offline answer holds a whole license JWT, likewise. */
  [ACTIVATION_TYP]: 98_304,
}
const SIGNATURE_BYTES = 64

/** Header parameters that bring a key along or change what is signed (T4; RFC 7515, 4.1.2 to 4.1.11; RFC 7797). */
const FORBIDDEN_HEADERS = ['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'crit', 'b64'] as const

/** A token taken apart. Nothing in it is to be believed before `checkCompactJws`. */
export interface CompactJws {
  ok: true
  header: JwsHeader
  signingInput: string
  payload: Uint8Array
  signature: Uint8Array<ArrayBuffer>
}

const ascii = new TextEncoder()

/** Takes a token apart and checks form and header: `alg` EdDSA, exactly this `typ`, a `kid`, nothing forbidden. */
export function readCompactJws(token: string, typ: string): CompactJws | Refused {
  // Typed as text, but it often comes out of an answer's JSON.
  if (typeof token !== 'string') return refused('wrong_form')
  if (token.length > (LONGER[typ] ?? MAX_TOKEN_LENGTH)) return refused('too_large')
  const [encodedHeader, encodedPayload, encodedSignature, ...rest] = token.split('.', 4)
  if (!encodedHeader?.startsWith('eyJ') || !encodedPayload || !encodedSignature || rest.length > 0) {
    return refused('wrong_form')
  }
  const headerBytes = decodeBase64url(encodedHeader)
  const payload = decodeBase64url(encodedPayload)
  const signature = decodeBase64url(encodedSignature)
  if (!headerBytes || !payload || !signature) return refused('bad_encoding')
  const header = readHeader(headerBytes, typ)
  if (!header.ok) return header
  if (signature.length !== SIGNATURE_BYTES) return refused('bad_signature')
  const signingInput = `${encodedHeader}.${encodedPayload}`
  return { ok: true, header: header.header, signingInput, payload, signature }
}

/** Checks the signature, and only then reads the payload: a JSON object without duplicated claims. */
export function* checkCompactJws(
  jws: CompactJws,
  key: TrustedKey<'license' | 'control'> | RootKey | RelayKey,
): Steps<{ ok: true; payload: JsonObject } | Refused> {
  const holds = yield { key, signature: jws.signature, data: ascii.encode(jws.signingInput) }
  if (!holds) return refused('bad_signature')
  const payload = parseJsonObject(jws.payload)
  return payload.ok ? { ok: true, payload: payload.value } : payload
}

function readHeader(bytes: Uint8Array, typ: string): { ok: true; header: JwsHeader } | Refused {
  const parsed = parseJsonObject(bytes)
  if (!parsed.ok) return parsed.reason === 'duplicate_member' ? parsed : refused('bad_header')
  const header = parsed.value
  for (const name of FORBIDDEN_HEADERS) {
    if (Object.hasOwn(header, name)) return refused('forbidden_header', name)
  }
  if (header.alg !== SIGNATURE_ALG) return refused('wrong_alg')
  if (header.typ !== typ) return refused('wrong_typ')
  if (typeof header.kid !== 'string' || header.kid === '') return refused('bad_header', 'kid')
  return { ok: true, header: { alg: header.alg, typ, kid: header.kid } }
}
