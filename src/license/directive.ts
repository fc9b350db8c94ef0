// Reads and verifies directives: the only thing that takes a feature away (T1). Whether to obey one is decided here,
// what obeying means is not.
import {
  ACTIONS,
  DIRECTIVE_LIFE,
  DIRECTIVE_STATUSES,
  DIRECTIVE_TYP,
  type DirectiveClaims,
  TAKING_STATUSES,
} from '../contract/claims.ts'
import type { JsonObject } from './json.ts'
import { verifyJws } from './jws.ts'
import {
  count,
  longText,
  matching,
  memberReader,
  oneOf,
  seconds,
  text,
  textOrEmpty,
  textOrNull,
} from './members.ts'
import type { TrustedKeys } from './trusted-keys.ts'
import { type JwsHeader, type Read, type Refused, refused, type Verified } from './verified.ts'

export interface DirectiveExpectation {
  issuer: string
  /** Product code. */
  product: string
  instanceId: string
  /** The outstanding one. */
  nonce: string
  keys: TrustedKeys
  /** False once the key set has expired: what takes is refused, the rest still holds (T4). */
  mayTake: boolean
}

const readMembers = memberReader<DirectiveClaims>({
  required: {
    iss: longText,
    aud: text,
    sub: text,
    license_id: textOrNull,
    status: oneOf(DIRECTIVE_STATUSES),
    action: oneOf(ACTIONS),
    seq: count,
    keys: count,
    nonce: matching(/^[A-Za-z0-9_-]{16,64}$/),
    iat: seconds,
    exp: seconds,
    reason: textOrEmpty,
  },
  optional: {},
  forbidden: ['tier', 'features', 'limits', 'quotas'],
})

/** The claims of a payload, by shape alone: no signature, no issuer, no nonce. */
export function readDirectiveClaims(payload: JsonObject): Read<DirectiveClaims> | Refused {
  const read = readMembers(payload)
  if (!read.ok) return read
  const life = read.claims.exp - read.claims.iat
  return life > 0 && life <= DIRECTIVE_LIFE ? read : refused('bad_member', 'exp')
}

/** Whether this directive takes something away: a status of T2 that ends the license, or an action. */
export function takesAway(directive: Pick<DirectiveClaims, 'status' | 'action'>): boolean {
  return directive.action !== 'none' || TAKING_STATUSES.some((status) => status === directive.status)
}

/**
 * Verifies a directive (T1, T4). It takes no `now`: the nonce makes it fresh, and a directive is what corrects the
 * clock. Retired keys are not accepted.
 */
export async function verifyDirective(
  token: string,
  expected: DirectiveExpectation,
): Promise<Verified<DirectiveClaims, JwsHeader> | Refused> {
  const verified = await verifyJws(token, { ...expected, typ: DIRECTIVE_TYP, acceptRetired: false })
  if (!verified.ok) return verified
  const read = readDirectiveClaims(verified.payload)
  if (!read.ok) return read
  const { claims } = read
  if (claims.iss !== expected.issuer) return refused('wrong_issuer')
  if (claims.sub !== expected.instanceId) return refused('wrong_instance')
  if (claims.nonce !== expected.nonce) return refused('wrong_nonce')
  if (!expected.mayTake && takesAway(claims)) return refused('key_set_expired')
  return { ok: true, claims, header: verified.header }
}
