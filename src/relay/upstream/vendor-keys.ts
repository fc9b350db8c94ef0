// Which keys are the vendor's (T4): the pinned roots, and the key sets they signed. Every signature is checked here.
import type {
  AllotmentClaims,
  DirectiveClaims,
  EntitlementTokenPayload,
  LicenseClaims,
} from '../../contract/claims.ts'
import { verifyAllotment } from '../../license/allotment.ts'
import { verifyDirective } from '../../license/directive.ts'
import { verifyEntitlementToken } from '../../license/entitlement-token.ts'
import { allowsTaking, followKeySet, type KeySet, type PinnedRoots } from '../../license/key-set.ts'
import { type LeaseAge, verifyLicenseJwt } from '../../license/license-jwt.ts'
import { verifyLicenseKey } from '../../license/license-key.ts'
import { importRootKey, type TrustedKeys } from '../../license/trusted-keys.ts'

/** Key sets are fetched at most this often, in milliseconds. */
export const REFETCH_MS = 5000

export interface VendorKeysPort {
  issuer: string
  /** Raw keys in hex, one or two. */
  roots: readonly string[]
  /** Unix seconds. */
  now(): number
  /** Running milliseconds. */
  monotonic(): number
  /** The published key set as a compact JWS; null where it could not be had. */
  fetchKeySet(): Promise<string | null>
  /** A set that was taken, to be kept. */
  onKeySet(token: string): void
}

export interface VendorKeys {
  /** Null for `instanceId`: whatever instance it names. `unexpired` asks for one within its lease. */
  licenseJwt(
    token: string,
    product: string | null,
    instanceId: string | null,
    age?: LeaseAge,
  ): Promise<LicenseClaims | null>
  /** `nonce`: the request's. */
  directive(
    token: string,
    product: string,
    instanceId: string,
    nonce: string,
  ): Promise<DirectiveClaims | null>
  entitlement(token: string, product: string, instanceId: string): Promise<EntitlementTokenPayload | null>
  /** The license that the key names, where its signature holds; `expiresAt` in unix seconds. */
  licenseKey(token: string, product: string): Promise<{ licenseId: string; expiresAt: number } | null>
  /** An allotment of this relay, within its life. */
  allotment(token: string, relayId: string): Promise<AllotmentClaims | null>
  /** Takes a set that is newer than the one in force. */
  follow(token: string): Promise<boolean>
  refetch(): Promise<boolean>
  /** The set in force. */
  current(): { token: string; set: KeySet } | null
}

/** @throws TypeError for a root that is no Ed25519 key. */
export async function openVendorKeys(port: VendorKeysPort): Promise<VendorKeys> {
  const roots = await importRoots(port.roots)
  const none: TrustedKeys = new Map()
  let current: { token: string; set: KeySet } | null = null
  let fetchedAt = Number.NEGATIVE_INFINITY
  const scope = () => ({
    issuer: port.issuer,
    keys: current?.set.keys ?? none,
    now: port.now(),
    acceptRetired: false,
  })

  async function follow(token: string): Promise<boolean> {
    const followed = await followKeySet(token, { issuer: port.issuer, roots, current: current?.set ?? null })
    if (!followed.ok) return false
    if (current?.set === followed.keySet) return true
    current = { token, set: followed.keySet }
    port.onKeySet(token)
    return true
  }

  async function refetch(): Promise<boolean> {
    if (port.monotonic() - fetchedAt < REFETCH_MS) return false
    fetchedAt = port.monotonic()
    const before = current?.set.claims.number ?? -1
    const token = await port.fetchKeySet()
    return token !== null && (await follow(token)) && (current?.set.claims.number ?? -1) > before
  }

  /** Once more under a newer key set where the key is not known. */
  async function verified<C>(
    attempt: () => Promise<{ ok: true; claims: C } | { ok: false; reason: string }>,
    signedUnknown: readonly string[],
  ): Promise<C | null> {
    let result = await attempt()
    if (!result.ok && signedUnknown.includes(result.reason) && (await refetch())) result = await attempt()
    return result.ok ? result.claims : null
  }
  const JWS = ['unknown_key', 'key_not_yet_valid']
  const RAW = ['unknown_key', 'key_not_yet_valid', 'bad_signature']

  return {
    follow,
    refetch,
    current: () => current,
    licenseJwt: (token, product, instanceId, age = 'any') => {
      const named = instanceId === null ? {} : { instanceId }
      return verified(() => verifyLicenseJwt(token, { ...scope(), product, ...named, age }), JWS)
    },
    async directive(token, product, instanceId, nonce) {
      const read = () =>
        verified(
          () => verifyDirective(token, { ...scope(), product, instanceId, nonce, mayTake: mayTake() }),
          JWS,
        )
      const claims = await read()
      if (!claims || claims.keys <= (current?.set.claims.number ?? -1)) return claims
      // It names a newer set, which may have revoked the key it is signed with.
      return (await refetch()) ? read() : null
    },
    entitlement: (token, product, instanceId) =>
      verified(() => verifyEntitlementToken(token, { ...scope(), product, instanceId }), RAW),
    allotment: (token, relayId) =>
      verified(() => verifyAllotment(token, { ...scope(), product: null, relayId, age: 'unexpired' }), JWS),
    async licenseKey(token, product) {
      const claims = await verified(
        () => verifyLicenseKey(token, { ...scope(), product, acceptRetired: true, age: 'unexpired' }),
        RAW,
      )
      return claims && { licenseId: claims.license_id, expiresAt: claims.expires_at }
    },
  }

  function mayTake(): boolean {
    return current !== null && allowsTaking(current.set, { now: port.now() })
  }
}

async function importRoots(hex: readonly string[]): Promise<PinnedRoots> {
  const imported = await Promise.all(
    hex.map((text) => importRootKey(Uint8Array.from(Buffer.from(text, 'hex')))),
  )
  const [first, second] = imported.map((root) => {
    if (!root.ok) throw new TypeError('a root key is not an Ed25519 public key')
    return root.key
  })
  if (!first) throw new TypeError('one or two root keys are needed')
  return second ? [first, second] : [first]
}
