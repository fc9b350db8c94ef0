// Reads, verifies and follows root-signed key sets (T4): which keys are trusted, and that this only moves forward.
import {
  KEY_SET_LIFE,
  KEY_SET_TYP,
  KEY_STATUSES,
  KEY_USES,
  type KeySetClaims,
  type KeySetKey,
} from '../contract/claims.ts'
import { decodeBase64url } from './base64.ts'
import { checkCompactJws, readCompactJws } from './compact-jws.ts'
import { isJsonObject, type JsonObject } from './json.ts'
import { count, longText, matching, memberReader, oneOf, seconds, text } from './members.ts'
import { verifySteps } from './steps.ts'
import { isBefore, type Moment } from './times.ts'
import {
  importTrustedKey,
  type RootKey,
  type TrustedKey,
  type TrustedKeys,
  trustKeys,
} from './trusted-keys.ts'
import { type JwsHeader, type Read, type Refused, refused, type Verified } from './verified.ts'

/** A set that was verified, with its keys imported. */
export interface KeySet {
  claims: KeySetClaims
  keys: TrustedKeys
}

/** One root, or two while one takes over from the other (T4). */
export type PinnedRoots = readonly [RootKey] | readonly [RootKey, RootKey]

export interface KeySetExpectation {
  issuer: string
  /** Pinned in the product. */
  roots: PinnedRoots
  /** The set in force; null at first. */
  current: KeySet | null
}

const readMembers = memberReader<KeySetClaims>({
  required: { iss: longText, number: count, iat: seconds, exp: seconds, keys: isKeyList },
  optional: {},
  forbidden: [],
})

const readKey = memberReader<KeySetKey>({
  required: {
    kid: text,
    // 32 bytes: the last of 43 characters carries four bits.
    x: matching(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/),
    product: text,
    use: oneOf(KEY_USES),
    status: oneOf(KEY_STATUSES),
    nbf: seconds,
  },
  optional: {},
  forbidden: ['d'],
})

function isKeyList(value: unknown): value is KeySetKey[] {
  return Array.isArray(value) && value.every((key) => isJsonObject(key) && readKey(key).ok)
}

/** The claims of a payload, by shape alone. A `kid` or a key that stands there twice is refused. */
export function readKeySetClaims(payload: JsonObject): Read<KeySetClaims> | Refused {
  const read = readMembers(payload)
  if (!read.ok) return read
  const keys: KeySetKey[] = []
  for (const key of read.claims.keys) {
    const known = readKey({ ...key })
    if (known.ok) keys.push(known.claims)
  }
  const claims = { ...read.claims, keys }
  const life = claims.exp - claims.iat
  if (life <= 0 || life > KEY_SET_LIFE) return refused('bad_member', 'exp')
  for (const name of ['kid', 'x'] as const) {
    if (new Set(keys.map((key) => key[name])).size !== keys.length) return refused('bad_member', name)
  }
  return { ok: true, claims }
}

/**
 * Takes a new key set, signed by a pinned root: a higher number replaces the current set, the same number must say
 * the same (`key_set_conflict`), a lower one is `key_set_older`. An expired set is taken too: see `allowsTaking`.
 */
export async function followKeySet(
  token: string,
  { issuer, roots, current }: KeySetExpectation,
): Promise<(Verified<KeySetClaims, JwsHeader> & { keySet: KeySet }) | Refused> {
  const jws = readCompactJws(token, KEY_SET_TYP)
  if (!jws.ok) return jws
  const root = roots.find(({ kid }) => kid === jws.header.kid)
  if (!root) return refused('unknown_key', jws.header.kid)
  const checked = await verifySteps(checkCompactJws(jws, root))
  if (!checked.ok) return checked
  const read = readKeySetClaims(checked.payload)
  if (!read.ok) return read
  const { claims } = read
  const { header } = jws
  if (claims.iss !== issuer) return refused('wrong_issuer')
  if (current && claims.number < current.claims.number) return refused('key_set_older')
  if (current && claims.number === current.claims.number) {
    if (content(claims) !== content(current.claims)) return refused('key_set_conflict')
    return { ok: true, claims: current.claims, header, keySet: current }
  }
  const imported = await importKeys(claims.keys, roots)
  return imported.ok ? { ok: true, claims, header, keySet: { claims, keys: imported.keys } } : imported
}

/** Whether directives that take may be believed under this set: not once it has expired (T4). */
export function allowsTaking(keySet: KeySet, moment: Moment): boolean {
  return isBefore(keySet.claims.exp, moment)
}

/** What a set says, whatever the order of its keys. */
function content({ iss, number, iat, exp, keys }: KeySetClaims): string {
  const sorted = keys.map(({ kid, x, product, use, status, nbf }) =>
    JSON.stringify([kid, x, product, use, status, nbf]),
  )
  return JSON.stringify([iss, number, iat, exp, sorted.sort()])
}

async function importKeys(
  keys: readonly KeySetKey[],
  roots: PinnedRoots,
): Promise<{ ok: true; keys: TrustedKeys } | Refused> {
  const rootKids = new Set(roots.map(({ kid }) => kid))
  const trusted: TrustedKey[] = []
  for (const { kid, x, ...role } of keys) {
    const raw = decodeBase64url(x)
    const imported = raw ? await importTrustedKey(raw, role, kid) : refused('bad_key', kid)
    if (!imported.ok) return imported
    // The root signs key sets only: it is no product's key.
    if (rootKids.has(kid) || roots.some((root) => isSame(root.raw, imported.key.raw)))
      return refused('bad_key', kid)
    trusted.push(imported.key)
  }
  return { ok: true, keys: trustKeys(trusted) }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
