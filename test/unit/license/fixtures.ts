// Keys, claims and an independent signer for the tests of signed objects. Signs with node:crypto alone, so that what
// it makes does not depend on the code under test, and so that it can make what mint/ refuses to.
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type {
  ActivationClaims,
  AllotmentClaims,
  DirectiveClaims,
  EntitlementTokenPayload,
  EnvelopePayload,
  KeySetClaims,
  KeySetKey,
  KeyStatus,
  KeyUse,
  LicenseClaims,
  LicenseKeyPayload,
  RelayLeaseClaims,
} from '../../../src/contract/claims.ts'
import {
  importRootKey,
  importTrustedKey,
  type RootKey,
  type TrustedKey,
} from '../../../src/license/trusted-keys.ts'

export const NOW = 1_800_000_000
export const ISSUER = 'https://license.example.com'
export const PRODUCT = 'keldris'
export const INSTANCE = 'test-001'
export const NONCE = 'abcdefghijklmnopqrstuv'

export interface Pair {
  privateKey: KeyObject
  pkcs8: Uint8Array
  raw: Uint8Array<ArrayBuffer>
  x: string
}

export function makePair(): Pair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const x = String(publicKey.export({ format: 'jwk' }).x)
  return {
    privateKey,
    pkcs8: new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' })),
    raw: new Uint8Array(Buffer.from(x, 'base64url')),
    x,
  }
}

export function openPair(pkcs8: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
}

interface Role {
  product: string
  use: KeyUse
  status: KeyStatus
  nbf: number
}

export async function trust(pair: Pair, role: Partial<Role> & { use: KeyUse }): Promise<TrustedKey> {
  const imported = await importTrustedKey(pair.raw, { product: PRODUCT, status: 'active', nbf: 0, ...role })
  if (!imported.ok) throw new Error(imported.reason)
  return imported.key
}

export async function pin(pair: Pair): Promise<RootKey> {
  const imported = await importRootKey(pair.raw)
  if (!imported.ok) throw new Error(imported.reason)
  return imported.key
}

const base64url = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('base64url')
const asText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))

/** A compact JWS over any header and payload; strings are taken as the JSON text itself. */
export function nodeJws(pair: Pair, header: unknown, payload: unknown): string {
  const input = `${base64url(asText(header))}.${base64url(asText(payload))}`
  return `${input}.${base64url(sign(null, Buffer.from(input), pair.privateKey))}`
}

/** A two-part raw object over any payload; a string is taken as the payload text itself. */
export function nodeRaw(pair: Pair, payload: unknown): string {
  const bytes = Buffer.from(asText(payload))
  return `${base64url(bytes)}.${base64url(sign(null, bytes, pair.privateKey))}`
}

export const licenseClaims = {
  iss: ISSUER,
  aud: PRODUCT,
  sub: 'cus_1',
  jti: 'jti_1',
  iat: NOW,
  exp: NOW + 86_400,
  license_id: 'lic_1',
  tier: 'pro',
  features: ['oidc', 'audit_logs'],
  limits: { max_agents: 100, max_users: -1 },
  grace_days: 30,
  license_exp: NOW + 90 * 86_400,
  in_grace: false,
  instance_id: INSTANCE,
  act: 'act_1',
  org_name: 'Acme',
  trial: false,
  refresh_url: 'https://license.example.com/api/v1/licenses/refresh',
  tenant_id: 'ten_1',
  cred: 'key_1',
} satisfies LicenseClaims

export const RELAY = 'rly_1'

/** `x`: of the relay's key. */
export const allotmentClaims = (x: string) =>
  ({
    iss: ISSUER,
    aud: PRODUCT,
    sub: RELAY,
    jti: 'alt_1',
    seq: 3,
    license_id: 'lic_1',
    seats: 5,
    nbf: NOW,
    exp: NOW + 30 * 86_400,
    cnf: { jwk: { kty: 'OKP', crv: 'Ed25519', x } },
    grant: {
      customer_id: 'cus_1',
      tier: 'pro',
      features: ['oidc'],
      limits: { max_agents: 100, max_users: -1 },
      grace_days: 30,
      license_exp: NOW + 90 * 86_400,
      org_name: 'Acme',
      trial: false,
      tenant_id: 'ten_1',
    },
  }) satisfies AllotmentClaims

export const relayLeaseClaims = (allotment: string): RelayLeaseClaims => ({
  iss: RELAY,
  aud: PRODUCT,
  sub: INSTANCE,
  allotment,
  iat: NOW,
  exp: NOW + 86_400,
})

export const directiveClaims: DirectiveClaims = {
  iss: ISSUER,
  aud: PRODUCT,
  sub: INSTANCE,
  license_id: 'lic_1',
  status: 'active',
  action: 'none',
  seq: 1,
  keys: 7,
  nonce: NONCE,
  iat: NOW,
  exp: NOW + 300,
  reason: '',
}

/** Without its grant, which has to be signed. */
export const activationClaims: Omit<ActivationClaims, 'grant'> = {
  iss: ISSUER,
  aud: PRODUCT,
  instance_id: INSTANCE,
  license_id: 'lic_1',
  nonce: NONCE,
  iat: NOW,
  exp: NOW + 2_592_000,
  action: 'none',
  seq: 1,
  reason: '',
}

export const entitlementPayload: EntitlementTokenPayload = {
  iss: ISSUER,
  product: PRODUCT,
  instance_id: INSTANCE,
  license_id: 'lic_1',
  tier: 'pro',
  features: ['oidc'],
  limits: { max_agents: 100, max_users: 10, max_orgs: -1 },
  nonce: '00112233445566778899aabbccddeeff',
  issued_at: NOW,
  expires_at: NOW + 86_400,
}

export const licenseKeyPayload: LicenseKeyPayload = {
  product: PRODUCT,
  tier: 'pro',
  customer_id: 'cus_1',
  license_id: 'lic_1',
  offline: false,
  issued_at: NOW,
  expires_at: NOW + 365 * 86_400,
}

export const envelopePayload = {
  exp: NOW + 86_400,
  gracePeriodDays: 2,
  iat: NOW,
  label: 'Acme',
  licenseId: '0190c2e4-7b1a-7c3d-8e4f-0123456789ab',
  limits: { max_agents: 7 },
  tenantId: 'acme',
  tier: 'pro',
  features: ['oidc'],
  instanceId: INSTANCE,
} satisfies EnvelopePayload

export function keySetClaims(keys: KeySetKey[], number = 7): KeySetClaims {
  return { iss: ISSUER, number, iat: NOW, exp: NOW + 34_560_000, keys }
}

/** The same object without one member. */
export function without(value: object, name: string): object {
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))
}
