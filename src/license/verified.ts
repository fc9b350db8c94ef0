// The outcome of reading something signed: tagged, never thrown. Owns the closed list of reasons for refusal.

/** Whole seconds since 1970, rounded down by the caller: every `now`, `iat`, `exp` in this folder. */
export type UnixSeconds = number

/** Why something signed was not accepted. Inside reasons: what the outside is told is decided elsewhere. */
export const REFUSALS = [
  // Form
  'too_large',
  'wrong_form',
  'bad_encoding',
  'not_json',
  'duplicate_member',
  'bad_header',
  'forbidden_header',
  'wrong_alg',
  'wrong_typ',
  // Key
  'unknown_key',
  'wrong_product',
  'wrong_use',
  'key_revoked',
  'key_retired',
  'key_not_yet_valid',
  'bad_key',
  'bad_signature',
  // Content
  'missing_member',
  'bad_member',
  'forbidden_member',
  'wrong_issuer',
  'wrong_audience',
  'wrong_instance',
  'wrong_nonce',
  'bad_grant',
  'expired',
  // Key sets
  'key_set_expired',
  'key_set_older',
  'key_set_conflict',
] as const
export type Refusal = (typeof REFUSALS)[number]

export interface Refused {
  ok: false
  reason: Refusal
  /** The member or key concerned. Never a secret, never a whole token. */
  detail?: string
}

/** What a JWS header says once it was checked. */
export interface JwsHeader {
  alg: 'EdDSA'
  typ: string
  kid: string
}

/** A raw object has no header; this names the key that verified it. */
export interface RawHeader {
  kid: string
}

export interface Verified<Claims, Header> {
  ok: true
  claims: Claims
  header: Header
}

/** A payload whose members were checked, with no word yet on who signed it. */
export interface Read<Claims> {
  ok: true
  claims: Claims
}

export function refused(reason: Refusal, detail?: string): Refused {
  return detail === undefined ? { ok: false, reason } : { ok: false, reason, detail }
}
