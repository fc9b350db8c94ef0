// Whether a recognised token was signed by a trusted key, and names what it has to. Says what was not compared.

import type { KeyUse } from '../../contract/claims.ts'
import { readActivationClaims } from '../../license/activation.ts'
import { readAllotmentClaims } from '../../license/allotment.ts'
import { readDirectiveClaims } from '../../license/directive.ts'
import { readEntitlementToken } from '../../license/entitlement-token.ts'
import { verifyEnvelope } from '../../license/envelope.ts'
import type { JsonObject } from '../../license/json.ts'
import { verifyJws } from '../../license/jws.ts'
import { followKeySet } from '../../license/key-set.ts'
import { readLicenseClaims } from '../../license/license-jwt.ts'
import { readLicenseKey } from '../../license/license-key.ts'
import { verifyRelayLease } from '../../license/relay-lease.ts'
import { importRootKey, type TrustedKeys } from '../../license/trusted-keys.ts'
import { verifyTwoPart } from '../../license/two-part.ts'
import type { Read, Refused } from '../../license/verified.ts'
import { OFFLINE_PRODUCT } from '../mint/minter.ts'
import { type Recognised, recognise } from './recognise.ts'
import type { Expected, TokenArguments } from './trust.ts'

export type Checked =
  | { verdict: 'verified'; kid: string; claims: object; notCompared: string[] }
  | { verdict: 'refused' | 'no_key'; reason: string }

/** The member under which each kind names what may be expected of it; what it does not name at all is not there. */
const MEMBERS: Readonly<Record<Recognised['kind'], Partial<Record<keyof Expected, string>>>> = {
  'license JWT': { issuer: 'iss', product: 'aud', tenant: 'tenant_id', instance: 'instance_id' },
  directive: { issuer: 'iss', product: 'aud', instance: 'sub' },
  'offline answer': { issuer: 'iss', product: 'aud', instance: 'instance_id' },
  'key set': { issuer: 'iss' },
  allotment: { issuer: 'iss', product: 'aud' },
  'relay lease': { product: 'aud', instance: 'sub' },
  'license key': { product: 'product' },
  'entitlement token': { issuer: 'iss', product: 'product', instance: 'instance_id' },
  envelope: { tenant: 'tenantId', instance: 'instanceId' },
  'other JWS': {},
}

/** Signature and form first, then the names. Time is told apart, by describe.ts. */
export async function checkToken(found: Recognised, trust: TokenArguments, now: number): Promise<Checked> {
  if (!trust.keys) return { verdict: 'no_key', reason: 'no key was given to check it with' }
  const signed = await checkSignature(found, trust, now)
  if (signed.verdict !== 'verified') return signed
  const { notCompared } = signed
  // Named otherwise, and compared where its signature was checked.
  const isCompared = (what: string) => found.kind === 'relay lease' && what === 'issuer'
  for (const what of ['issuer', 'product', 'tenant'] as const) {
    if (trust.expected[what] !== undefined && !MEMBERS[found.kind][what] && !isCompared(what))
      return { verdict: 'refused', reason: `it names no ${what}` }
  }
  for (const [what, member] of Object.entries(MEMBERS[found.kind])) {
    const named = found.payload[member]
    const wanted = trust.expected[what as keyof Expected]
    if (named === undefined) {
      if (wanted === undefined || what === 'instance') continue
      return { verdict: 'refused', reason: `it names no ${what}` }
    }
    if (wanted === undefined) notCompared.push(what)
    else if (named !== wanted) {
      return { verdict: 'refused', reason: `it names ${what} ${JSON.stringify(named)}, not ${wanted}` }
    }
  }
  return { ...signed, notCompared }
}

async function checkSignature(found: Recognised, trust: TokenArguments, now: number): Promise<Checked> {
  const { kind, token, payload } = found
  const product = trust.expected.product ?? nameOf(payload.aud ?? payload.product)
  switch (kind) {
    case 'license JWT':
      return jws(found, product, await keysFor(trust, product, 'license'), readLicenseClaims)
    case 'directive':
      return jws(found, product, await keysFor(trust, product, 'control'), readDirectiveClaims)
    case 'allotment':
      return jws(found, product, await keysFor(trust, product, 'control'), readAllotmentClaims)
    case 'relay lease':
      return relayLease(found, trust, product, now)
    case 'offline answer':
      return jws(found, product, await keysFor(trust, product, 'control'), readActivationClaims)
    case 'license key':
      return twoPart(token, product, await keysFor(trust, product, 'raw'), readLicenseKey)
    case 'entitlement token':
      return twoPart(token, product, await keysFor(trust, product, 'raw'), readEntitlementToken)
    case 'envelope': {
      const keys = await keysFor(trust, OFFLINE_PRODUCT, 'raw')
      const { tenant: tenantId, instance: instanceId } = trust.expected
      const expected = { product: OFFLINE_PRODUCT, keys, tenantId, instanceId, now, age: 'any' } as const
      const read = await verifyEnvelope(token, expected)
      if (!read.ok) return { verdict: 'refused', reason: read.message }
      return { verdict: 'verified', kid: read.header.kid, claims: read.claims, notCompared: [] }
    }
    case 'key set':
      return rootSigned(found, trust)
    case 'other JWS':
      return { verdict: 'refused', reason: `this command cannot verify ${found.typ}` }
  }
}

const keysFor = async ({ keys }: TokenArguments, product: string, use: KeyUse): Promise<TrustedKeys> =>
  keys ? keys(product, use) : new Map()

async function jws(
  { kind, token, typ }: Recognised,
  product: string,
  keys: TrustedKeys,
  read: (payload: JsonObject) => Read<object> | Refused,
): Promise<Checked> {
  const verified = await verifyJws(token, {
    typ: typ as never,
    product,
    keys,
    // A directive is of this minute (T1); the others may be older than their key's service.
    acceptRetired: kind !== 'directive',
  })
  if (!verified.ok) return refusal(verified)
  const claims = read(verified.payload)
  return claims.ok
    ? { verdict: 'verified', kid: verified.key.kid, claims: claims.claims, notCompared: [] }
    : refusal(claims)
}

/** The vendor's key signs the allotment inside, which names the relay's key; the issuer is the allotment's. */
async function relayLease(
  { token, payload }: Recognised,
  trust: TokenArguments,
  product: string,
  now: number,
): Promise<Checked> {
  const verified = await verifyRelayLease(token, {
    issuer: trust.expected.issuer ?? issuerOfAllotment(payload.allotment),
    product,
    keys: await keysFor(trust, product, 'control'),
    acceptRetired: true,
    age: 'any',
    now,
  })
  if (!verified.ok) return refusal(verified)
  const notCompared = trust.expected.issuer === undefined ? ['issuer'] : []
  // Whom the reader trusts is the vendor; the relay's key is trusted for the allotment's sake.
  return { verdict: 'verified', kid: verified.allotmentKid, claims: verified.claims, notCompared }
}

function issuerOfAllotment(allotment: unknown): string {
  const found = typeof allotment === 'string' ? recognise(allotment) : null
  return found?.kind === 'allotment' ? nameOf(found.payload.iss) : ''
}

async function twoPart(
  token: string,
  product: string,
  keys: TrustedKeys,
  read: (payload: JsonObject) => Read<object> | Refused,
): Promise<Checked> {
  const verified = await verifyTwoPart(token, { product, keys, acceptRetired: true })
  if (!verified.ok) return refusal(verified)
  const claims = read(verified.payload)
  return claims.ok
    ? { verdict: 'verified', kid: verified.key.kid, claims: claims.claims, notCompared: [] }
    : refusal(claims)
}

/** A key set is signed by the root alone, so the one public key is taken for it. */
async function rootSigned({ token, payload }: Recognised, trust: TokenArguments): Promise<Checked> {
  if (!trust.publicKey)
    return { verdict: 'no_key', reason: 'a key set is checked with --public-key, the root' }
  const root = await importRootKey(trust.publicKey)
  if (!root.ok) return refusal(root)
  const issuer = trust.expected.issuer ?? nameOf(payload.iss)
  const followed = await followKeySet(token, { issuer, roots: [root.key], current: null })
  if (!followed.ok) return refusal(followed)
  return { verdict: 'verified', kid: root.key.kid, claims: followed.claims, notCompared: [] }
}

/** Inside reasons in plain words, where there is a plain word. */
function refusal({ reason, detail }: Refused): Checked {
  const words: Partial<Record<Refused['reason'], string>> = {
    bad_signature: 'the signature is not that of the given key',
    unknown_key: `it names the key ${detail}, which is not among the given ones`,
    wrong_use: `it is signed with the key ${detail}, which signs something else`,
    key_revoked: `it is signed with the key ${detail}, which was revoked`,
    wrong_product: 'it names another product',
    wrong_audience: 'it names another product',
    wrong_issuer: 'it names another issuer',
  }
  return { verdict: 'refused', reason: words[reason] ?? [reason, detail].filter(Boolean).join(' ') }
}

const nameOf = (value: unknown): string => (typeof value === 'string' ? value : '')
