// Every signed object of the wire formats, one row each: what it holds, its form, the key that signs it, its verifier.
import {
  ACTIVATION_TYP,
  ALLOTMENT_TYP,
  DIRECTIVE_TYP,
  KEY_SET_TYP,
  LICENSE_TYP,
  RELAY_LEASE_TYP,
} from '../../../src/contract/claims.ts'
import { verifyActivation } from '../../../src/license/activation.ts'
import { verifyAllotment } from '../../../src/license/allotment.ts'
import { verifyDirective } from '../../../src/license/directive.ts'
import { verifyEntitlementToken } from '../../../src/license/entitlement-token.ts'
import { verifyEnvelope } from '../../../src/license/envelope.ts'
import { followKeySet } from '../../../src/license/key-set.ts'
import { verifyLicenseJwt } from '../../../src/license/license-jwt.ts'
import { verifyLicenseKey } from '../../../src/license/license-key.ts'
import { verifyRelayLease } from '../../../src/license/relay-lease.ts'
import { keyThumbprint, type TrustedKeys, trustKeys } from '../../../src/license/trusted-keys.ts'
import {
  activationClaims,
  allotmentClaims,
  directiveClaims,
  entitlementPayload,
  envelopePayload,
  INSTANCE,
  ISSUER,
  keySetClaims,
  licenseClaims,
  licenseKeyPayload,
  makePair,
  NONCE,
  NOW,
  nodeJws,
  nodeRaw,
  type Pair,
  PRODUCT,
  pin,
  relayLeaseClaims,
  trust,
} from './fixtures.ts'

export const pairs = {
  license: makePair(),
  control: makePair(),
  raw: makePair(),
  root: makePair(),
  relay: makePair(),
}
export type Use = keyof typeof pairs
const licenseKey = await trust(pairs.license, { use: 'license' })
const controlKey = await trust(pairs.control, { use: 'control' })
const rawKey = await trust(pairs.raw, { use: 'raw' })
const rootKey = await pin(pairs.root)
export const kids: Record<Use, string> = {
  license: licenseKey.kid,
  control: controlKey.kid,
  raw: rawKey.kid,
  root: rootKey.kid,
  relay: await keyThumbprint(pairs.relay.raw),
}
const allotment = allotmentClaims(pairs.relay.x)
/** A lease holds its allotment, so that one is signed already. */
export const allotmentToken = nodeJws(
  pairs.control,
  { alg: 'EdDSA', typ: ALLOTMENT_TYP, kid: kids.control },
  allotment,
)

/** What a verifier is told; every check that can be left out is left out. */
export interface Trust {
  product: string
  keys: TrustedKeys
}

export const ownTrust: Trust = { product: PRODUCT, keys: trustKeys([licenseKey, controlKey, rawKey]) }

export interface SignedObject {
  name: string
  payload: object
  /** The `typ` of a JWS, or the alphabet of a two-part object. */
  form: string
  use: Use
  verify: (token: string, trusted: Trust) => Promise<{ ok: boolean; reason?: string }>
}

export const activationPayload = {
  ...activationClaims,
  grant: nodeJws(pairs.license, { alg: 'EdDSA', typ: LICENSE_TYP, kid: kids.license }, licenseClaims),
}

const common = { issuer: ISSUER, instanceId: INSTANCE, acceptRetired: true, now: NOW }

/** A new signed object adds one row here, and is held against every verifier. */
export const signedObjects: SignedObject[] = [
  {
    name: 'license JWT',
    payload: licenseClaims,
    form: LICENSE_TYP,
    use: 'license',
    verify: (token, trusted) => verifyLicenseJwt(token, { ...common, ...trusted, age: 'any' }),
  },
  {
    name: 'directive',
    payload: directiveClaims,
    form: DIRECTIVE_TYP,
    use: 'control',
    verify: (token, trusted) =>
      verifyDirective(token, { ...common, ...trusted, nonce: NONCE, mayTake: true }),
  },
  {
    name: 'offline answer',
    payload: activationPayload,
    form: ACTIVATION_TYP,
    use: 'control',
    verify: (token, trusted) => verifyActivation(token, { ...common, ...trusted, age: 'unexpired' }),
  },
  {
    name: 'key set',
    payload: keySetClaims([]),
    form: KEY_SET_TYP,
    use: 'root',
    verify: (token) => followKeySet(token, { issuer: ISSUER, roots: [rootKey], current: null }),
  },
  {
    name: 'allotment',
    payload: allotment,
    form: ALLOTMENT_TYP,
    use: 'control',
    verify: (token, trusted) => verifyAllotment(token, { ...common, ...trusted, age: 'any' }),
  },
  {
    name: 'relay lease',
    payload: relayLeaseClaims(allotmentToken),
    form: RELAY_LEASE_TYP,
    use: 'relay',
    verify: (token, trusted) => verifyRelayLease(token, { ...common, ...trusted, age: 'any' }),
  },
  {
    name: 'entitlement token',
    payload: entitlementPayload,
    form: 'base64url',
    use: 'raw',
    verify: (token, trusted) => verifyEntitlementToken(token, { ...common, ...trusted }),
  },
  {
    name: 'license key',
    payload: licenseKeyPayload,
    form: 'base64url',
    use: 'raw',
    verify: (token, trusted) => verifyLicenseKey(token, { ...common, ...trusted, age: 'any' }),
  },
  {
    name: 'envelope',
    payload: envelopePayload,
    form: 'base64',
    use: 'raw',
    verify: (token, trusted) => verifyEnvelope(token, { ...common, ...trusted, age: 'any' }),
  },
]

export const isJws = (form: string): boolean => form.endsWith('+jwt')

/** Writes a payload down in any form, under any key; `kid` is that of the key itself unless it is said otherwise. */
export function write(form: string, pair: Pair, payload: object, kid = kids[nameOf(pair)]): string {
  if (isJws(form)) return nodeJws(pair, { alg: 'EdDSA', typ: form, kid }, payload)
  const raw = nodeRaw(pair, payload)
  return form === 'base64' ? inStandardAlphabet(raw) : raw
}

const nameOf = (pair: Pair): Use =>
  (Object.keys(pairs) as Use[]).find((use) => pairs[use] === pair) ?? 'license'

const inStandardAlphabet = (token: string): string =>
  token
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString('base64'))
    .join('.')
