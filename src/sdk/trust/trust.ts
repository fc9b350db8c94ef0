// Whom the SDK believes (T4): pinned roots, the key set they signed, pinned keys. Verifies; decides nothing about rights.
import type { DirectiveClaims, EnvelopePayload } from '../../contract/claims.ts'
import { verifyActivation } from '../../license/activation.ts'
import { takesAway, verifyDirective } from '../../license/directive.ts'
import { verifyEnvelope } from '../../license/envelope.ts'
import { allowsTaking, followKeySet, type KeySet, type PinnedRoots } from '../../license/key-set.ts'
import { verifyLicenseJwt } from '../../license/license-jwt.ts'
import { verifyLicenseKey } from '../../license/license-key.ts'
import { verifyRelayLease } from '../../license/relay-lease.ts'
import {
  importRootKey,
  importTrustedKey,
  type TrustedKey,
  type TrustedKeys,
} from '../../license/trusted-keys.ts'
import { envelopeGrant, type Grant, jwtGrant, leaseGrant } from '../grants/grant.ts'
import type { TrustOptions } from '../options.ts'
import type { Activated, HeldLicenseKey } from '../state/state.ts'
import { readPublicKey } from './keys.ts'

/** Key sets are fetched at most this often (milliseconds). */
const REFETCH = 30_000

export type Verdict<T> = { ok: true; value: T } | { ok: false; reason: string; detail?: string }

export interface TrustPort {
  issuer: string
  product: string
  instanceId(): string
  /** Unix seconds. */
  now(): number
  /** Running milliseconds. */
  monotonic(): number
  /** The published key set as a compact JWS; null where it could not be had. */
  fetchKeySet(): Promise<string | null>
  /** A new key set counts: these keys verify nothing any more. */
  onRevoked(kids: readonly string[]): void
  onKeySet(): void
}

export interface VerifiedEnvelope {
  grant: Grant
  claims: EnvelopePayload
}

export interface Trust {
  directive(token: string, nonce: string): Promise<Verdict<DirectiveClaims>>
  licenseJwt(token: string, origin: 'static' | 'online' | 'cache'): Promise<Verdict<Grant>>
  /** A seat that a relay leased, up to the vendor's keys. */
  relayLease(token: string, origin: 'online' | 'cache'): Promise<Verdict<Grant>>
  /** Either of both, as the cache holds it. */
  cached(token: string): Promise<Verdict<Grant>>
  envelope(token: string, tenantId: string | undefined, tier: string): Promise<Verdict<VerifiedEnvelope>>
  /** Whether there is a key at all that could have signed an envelope. */
  knowsRawKeys(): boolean
  /** An offline answer; `any` for one that was installed before. */
  activation(token: string, age: 'unexpired' | 'any'): Promise<Verdict<Activated>>
  licenseKey(token: string): Promise<Verdict<Pick<HeldLicenseKey, 'kid' | 'payload'>>>
  /** Takes a key set that was kept, or that another process has fetched. */
  follow(keySet: string): Promise<boolean>
  /** The set in force, for the disk. */
  keySet(): { token: string; number: number; expiresAt: number } | null
}

/** @throws TypeError for a key that is none: a programmer's mistake, which options/ reports first. */
export async function openTrust(options: TrustOptions, port: TrustPort): Promise<Trust> {
  const roots = await importRoots(options.roots)
  const pinned = await importPinned(options, port.product)
  let current: { token: string; set: KeySet } | null = null
  let keys: TrustedKeys = pinned
  let fetchedAt = Number.NEGATIVE_INFINITY

  async function follow(token: string): Promise<boolean> {
    if (roots === null) return false
    const followed = await followKeySet(token, { issuer: port.issuer, roots, current: current?.set ?? null })
    if (!followed.ok || followed.claims.number < (options.minNumber ?? 0)) return false
    if (current && followed.claims.number === current.set.claims.number) return true
    current = { token, set: followed.keySet }
    keys = merge(pinned, followed.keySet.keys)
    const revoked = [...keys.values()].filter((key) => key.status === 'revoked').map((key) => key.kid)
    if (revoked.length > 0) port.onRevoked(revoked)
    port.onKeySet()
    return true
  }

  /** Fetches the published set, at most once per 30 s. Whether it is a newer one than before. */
  async function refetch(): Promise<boolean> {
    if (roots === null || port.monotonic() - fetchedAt < REFETCH) return false
    fetchedAt = port.monotonic()
    const before = current?.set.claims.number ?? -1
    const token = await port.fetchKeySet()
    return token !== null && (await follow(token)) && (current?.set.claims.number ?? -1) > before
  }

  /** Verifies, and once more under a newer key set if the key is not known. */
  async function verify<T extends { ok: true } | { ok: false; reason: string }>(
    attempt: () => Promise<T>,
  ): Promise<T> {
    const result = await attempt()
    const mayBeNewer =
      !result.ok && (result.reason === 'unknown_key' || result.reason === 'key_not_yet_valid')
    return mayBeNewer && (await refetch()) ? attempt() : result
  }

  /** Under a root: by a set that has not run out, and is none older than the directive's. Keys pinned by hand have none. */
  function mayTake(number: number): boolean {
    if (roots === null) return true
    return current !== null && number <= current.set.claims.number && allowsTaking(current.set, scope())
  }

  const scope = () => ({ issuer: port.issuer, product: port.product, keys, now: port.now() })

  async function licenseJwt(token: string, origin: 'static' | 'online' | 'cache'): Promise<Verdict<Grant>> {
    const result = await verify(() =>
      verifyLicenseJwt(token, {
        ...scope(),
        instanceId: port.instanceId(),
        // A static token is an offline grant: it may be older than its key's service (T4).
        acceptRetired: origin === 'static',
        age: 'any',
      }),
    )
    if (!result.ok) return result
    return { ok: true, value: jwtGrant(token, result.header.kid, result.claims, origin) }
  }

  async function relayLease(token: string, origin: 'online' | 'cache'): Promise<Verdict<Grant>> {
    const instanceId = port.instanceId()
    const result = await verify(() =>
      verifyRelayLease(token, { ...scope(), instanceId, acceptRetired: false, age: 'any' }),
    )
    return result.ok ? { ok: true, value: leaseGrant(token, result, origin) } : result
  }

  return {
    follow,
    licenseJwt,
    relayLease,
    async cached(token) {
      const jwt = await licenseJwt(token, 'cache')
      return !jwt.ok && jwt.reason === 'wrong_typ' ? relayLease(token, 'cache') : jwt
    },
    keySet: () =>
      current && {
        token: current.token,
        number: current.set.claims.number,
        expiresAt: current.set.claims.exp,
      },
    async directive(token, nonce) {
      const read = () =>
        verifyDirective(token, { ...scope(), instanceId: port.instanceId(), nonce, mayTake: true })
      let result = await verify(read)
      if (!result.ok) return result
      // A directive names the current set: one that is newer than ours may have revoked the key it is signed with.
      const known = () => current?.set.claims.number ?? -1
      if (result.claims.keys > known() && (await refetch())) result = await read()
      if (!result.ok) return result
      if (takesAway(result.claims) && !mayTake(result.claims.keys)) {
        return {
          ok: false,
          reason: 'key_set_expired',
          detail: 'a key set that is frozen or expired takes nothing',
        }
      }
      return { ok: true, value: result.claims }
    },
    async envelope(token, tenantId, tier) {
      const instanceId = port.instanceId()
      const read = () => verifyEnvelope(token, { ...scope(), tenantId, instanceId, age: 'any' })
      let result = await read()
      // It names no key, so an unknown one looks like a bad signature.
      if (!result.ok && result.reason === 'bad_signature' && (await refetch())) result = await read()
      if (!result.ok) return { ok: false, reason: result.reason, detail: result.message }
      const { claims, header } = result
      return { ok: true, value: { grant: envelopeGrant(token, header.kid, claims, tier), claims } }
    },
    knowsRawKeys: () => [...keys.values()].some(({ use }) => use === 'raw'),
    async activation(token, age) {
      const result = await verify(() =>
        verifyActivation(token, { ...scope(), instanceId: port.instanceId(), age }),
      )
      if (!result.ok) return result
      const { claims, license, grantKid } = result
      const { action, seq, reason, iat, nonce } = claims
      const grant = jwtGrant(claims.grant, grantKid, license, 'offline')
      return { ok: true, value: { word: { action, seq, reason, iat, nonce }, grant } }
    },
    async licenseKey(token) {
      const read = () => verifyLicenseKey(token, { ...scope(), acceptRetired: true, age: 'any' })
      let result = await verify(read)
      if (!result.ok && result.reason === 'bad_signature' && (await refetch())) result = await read()
      if (!result.ok) return result
      return { ok: true, value: { kid: result.header.kid, payload: result.claims } }
    },
  }
}

/** Null without any: nobody may say which keys there are. */
async function importRoots(texts: readonly string[]): Promise<PinnedRoots | null> {
  const roots = await Promise.all(texts.map(async (text) => importRootKey(required(text))))
  const [first, second] = roots.map((root) => {
    if (!root.ok) throw new TypeError('trust.roots: not an Ed25519 public key')
    return root.key
  })
  if (!first) return null
  return second ? [first, second] : [first]
}

async function importPinned({ keys = [] }: TrustOptions, product: string): Promise<TrustedKeys> {
  const pinned = new Map<string, TrustedKey>()
  for (const { x, use, kid } of keys) {
    const imported = await importTrustedKey(required(x), { product, use, status: 'active', nbf: 0 }, kid)
    if (!imported.ok) throw new TypeError('trust.keys: not an Ed25519 public key')
    pinned.set(imported.key.kid, imported.key)
  }
  return pinned
}

function required(text: string): Uint8Array<ArrayBuffer> {
  const raw = readPublicKey(text)
  if (!raw) throw new TypeError('trust: not a public key')
  return raw
}

/** What the key set says of a key counts, also of one that was pinned under another name. */
function merge(pinned: TrustedKeys, set: TrustedKeys): TrustedKeys {
  const bytes = (key: TrustedKey) => key.raw.join()
  const known = new Set([...set.values()].map(bytes))
  const own = [...pinned.values()].filter((key) => !set.has(key.kid) && !known.has(bytes(key)))
  return new Map([...own.map((key) => [key.kid, key] as const), ...set])
}
