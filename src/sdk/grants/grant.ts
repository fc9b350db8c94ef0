// A grant: something verified that gives rights, whatever its form. Pure; verification is trust/.
import type { EnvelopePayload, LicenseClaims, LicenseKeyPayload, LimitValues } from '../../contract/claims.ts'
import { capsOfEnvelope } from '../../license/effective-limits.ts'
import { endOfLicenseKey, type LicenseKeyUse } from '../../license/lease.ts'
import type { VerifiedRelayLease } from '../../license/relay-lease.ts'
import { leaseTerm, type StateWindow, windowOf } from '../../license/state.ts'
import { DAY } from '../../license/times.ts'
import type { Limit, TierGrant } from '../options.ts'

/** Limits by name; `Infinity` is unlimited. */
export type Limits = Readonly<Record<string, number>>

export interface Grant {
  kind: 'jwt' | 'lease' | 'license_key' | 'envelope'
  origin: 'static' | 'online' | 'cache' | 'offline'
  token: string
  /** The key that signed it. */
  kid: string
  licenseId: string
  /** Unix seconds, as all times here. */
  issuedAt: number
  /** When the vendor signed its rights: of what a relay leased, earlier than the lease. */
  vouchedAt: number
  /** The relay that leased it out of its allotment. */
  relay: string | null
  window: StateWindow
  tier: string
  features: readonly string[]
  limits: Limits
  /** What a limit is that the grant does not name: a missing quota is unlimited, a missing limit the default. */
  unnamed: 'unlimited' | 'default'
  /** The end of the lease, by which it has to be renewed; null where it is not one. */
  leaseExp: number | null
  /** The end of the license itself; null if perpetual. */
  licenseExp: number | null
  refreshUrl: string | null
  /** Whether it names this instance, and so proves it (T8). */
  bound: boolean
  customer: string | null
  trial: boolean
}

export function jwtGrant(token: string, kid: string, claims: LicenseClaims, origin: Grant['origin']): Grant {
  return {
    kind: 'jwt',
    origin,
    token,
    kid,
    licenseId: claims.license_id,
    issuedAt: claims.iat,
    vouchedAt: claims.iat,
    relay: null,
    window: windowOf(leaseTerm(claims)),
    tier: claims.tier,
    features: claims.features,
    limits: fromWire(claims.limits ?? claims.quotas ?? {}),
    unnamed: claims.quotas ? 'unlimited' : 'default',
    leaseExp: claims.exp,
    licenseExp: claims.license_exp ?? null,
    refreshUrl: claims.refresh_url ?? null,
    bound: claims.instance_id !== undefined,
    customer: claims.org_name ?? null,
    trial: claims.trial ?? false,
  }
}

/**
 * A seat that a relay leased while the vendor was away: the allotment's rights until the lease's end and no longer, for the
 * seat passes on then (T10). Its own `iat` is the relay's clock, so it neither vouches for rights nor tells the time.
 */
export function leaseGrant(
  token: string,
  { claims, allotment, allotmentKid }: VerifiedRelayLease,
  origin: 'online' | 'cache',
): Grant {
  const { grant, license_id } = allotment
  const { customer_id: sub, ...rights } = grant
  const lease = { ...claims, ...rights, sub, license_id, jti: allotment.jti, instance_id: claims.sub }
  const granted = jwtGrant(token, allotmentKid, lease, origin)
  const window = { ...granted.window, graceUntil: claims.exp }
  return { ...granted, kind: 'lease', vouchedAt: allotment.nbf, relay: claims.iss, window }
}

/** A license key carries a tier alone: what it means is the product's own table. An unknown tier gives nothing more. */
export function licenseKeyGrant(
  token: string,
  kid: string,
  key: LicenseKeyPayload,
  use: LicenseKeyUse,
  tiers: Readonly<Record<string, TierGrant>>,
): Grant {
  const rights = Object.hasOwn(tiers, key.tier) ? tiers[key.tier] : undefined
  return {
    kind: 'license_key',
    origin: 'offline',
    token,
    kid,
    licenseId: key.license_id,
    issuedAt: key.issued_at,
    vouchedAt: key.issued_at,
    relay: null,
    window: {
      // A credential that nobody confirms now is in grace since its last confirmation, or first use (T6).
      activeUntil: key.offline
        ? key.expires_at
        : Math.min(key.expires_at, (use.confirmedAt ?? use.firstUsedAt) - 1),
      graceUntil: endOfLicenseKey(key, use),
    },
    tier: key.tier,
    features: rights?.features ?? [],
    limits: fromOptions(rights?.limits ?? {}),
    unnamed: 'default',
    leaseExp: null,
    licenseExp: key.expires_at,
    refreshUrl: null,
    bound: false,
    customer: null,
    trial: false,
  }
}

export function envelopeGrant(token: string, kid: string, claims: EnvelopePayload, tier: string): Grant {
  return {
    kind: 'envelope',
    origin: 'offline',
    token,
    kid,
    // The public form of the license's UUID, by which directives name it.
    licenseId: `lic_${claims.licenseId.toLowerCase().replaceAll('-', '')}`,
    issuedAt: claims.iat,
    vouchedAt: claims.iat,
    relay: null,
    window: windowOf({ exp: claims.exp, graceDays: claims.gracePeriodDays }),
    tier: claims.tier ?? tier,
    features: claims.features ?? [],
    limits: capsOfEnvelope(claims.limits),
    unnamed: 'default',
    leaseExp: null,
    licenseExp: claims.exp,
    refreshUrl: null,
    bound: claims.instanceId !== undefined,
    customer: claims.label ?? null,
    trial: false,
  }
}

/** −1 and `Infinity` are both how a vendor may write unlimited. */
export function fromOptions(limits: Readonly<Partial<Record<string, Limit>>>): Limits {
  const known: Record<string, number> = {}
  for (const [name, limit] of Object.entries(limits)) if (limit !== undefined) known[name] = limit
  return fromWire(known)
}

function fromWire(limits: LimitValues): Limits {
  return Object.fromEntries(
    Object.entries(limits).map(([name, limit]) => [name, limit < 0 ? Number.POSITIVE_INFINITY : limit]),
  )
}

/** Days of grace that a grant gives past its end; null where it never ends. */
export function graceDaysOf({ window: { activeUntil, graceUntil } }: Grant): number | null {
  return activeUntil === null || graceUntil === null ? null : Math.round((graceUntil - activeUntil) / DAY)
}
