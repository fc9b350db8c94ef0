// What a signed object claims to be, by its form and its own words. Checks no signature: nothing here is to be believed.
import {
  ACTIVATION_TYP,
  ALLOTMENT_TYP,
  DIRECTIVE_TYP,
  KEY_SET_TYP,
  LICENSE_TYP,
  RELAY_LEASE_TYP,
} from '../../contract/claims.ts'
import { ACTIVATION_ANSWER } from '../../contract/offline-activation.ts'
import { decodeBase64, decodeBase64url } from '../../license/base64.ts'
import { readCompactJws } from '../../license/compact-jws.ts'
import { type JsonObject, parseJsonObject } from '../../license/json.ts'

export type TokenKind =
  | 'license JWT'
  | 'directive'
  | 'offline answer'
  | 'key set'
  | 'allotment'
  | 'relay lease'
  | 'license key'
  | 'entitlement token'
  | 'envelope'
  | 'other JWS'

export interface Recognised {
  kind: TokenKind
  token: string
  payload: JsonObject
  /** The `typ` of a JWS. */
  typ: string | null
  /** The key that a JWS names; the others name none. */
  kid: string | null
}

const TYPS: Readonly<Record<string, TokenKind>> = {
  [LICENSE_TYP]: 'license JWT',
  [DIRECTIVE_TYP]: 'directive',
  [ACTIVATION_TYP]: 'offline answer',
  [KEY_SET_TYP]: 'key set',
  [ALLOTMENT_TYP]: 'allotment',
  [RELAY_LEASE_TYP]: 'relay lease',
}

const LONGEST = 262_144

/** Null for what is none of them. */
export function recognise(text: string): Recognised | null {
  const token = answerIn(text) ?? text.trim()
  // Each kind has a limit of its own below this.
  if (token.length > LONGEST) return null
  const parts = token.split('.')
  return parts.length === 3 ? asJws(token, parts[0] ?? '') : parts.length === 2 ? asRaw(token, parts) : null
}

/** An offline answer comes in a file, beside the key set that verifies it. */
function answerIn(text: string): string | null {
  if (!text.trimStart().startsWith('{')) return null
  const file = parseJsonObject(new TextEncoder().encode(text))
  const { kind, activation } = file.ok ? file.value : {}
  return kind === ACTIVATION_ANSWER && typeof activation === 'string' ? activation : null
}

function asJws(token: string, encodedHeader: string): Recognised | null {
  const bytes = decodeBase64url(encodedHeader)
  const header = bytes && parseJsonObject(bytes)
  const typ = header?.ok ? header.value.typ : null
  if (typeof typ !== 'string') return null
  const jws = readCompactJws(token, typ)
  const payload = jws.ok ? parseJsonObject(jws.payload) : null
  if (!jws.ok || !payload?.ok) return null
  const kind = (Object.hasOwn(TYPS, typ) ? TYPS[typ] : undefined) ?? 'other JWS'
  return { kind, token, payload: payload.value, typ, kid: jws.header.kid }
}

function asRaw(token: string, [encoded = '', signature = '']: string[]): Recognised | null {
  const inStandardAlphabet = signature.endsWith('=')
  const bytes = inStandardAlphabet
    ? decodeBase64(encoded)
    : (decodeBase64url(encoded) ?? decodeBase64(encoded))
  const parsed = bytes && parseJsonObject(bytes)
  // Damaged or forged, but an envelope by its form: to be refused as one.
  if (!parsed?.ok) return inStandardAlphabet ? unreadable(token) : null
  // By its members, so that an envelope in the wrong alphabet is refused as what it is.
  const isEnvelope = inStandardAlphabet || 'licenseId' in parsed.value
  const kind = isEnvelope ? 'envelope' : 'customer_id' in parsed.value ? 'license key' : 'entitlement token'
  return { kind, token, payload: parsed.value, typ: null, kid: null }
}

const unreadable = (token: string): Recognised => ({
  kind: 'envelope',
  token,
  payload: {},
  typ: null,
  kid: null,
})
