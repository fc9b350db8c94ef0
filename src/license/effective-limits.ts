// The limits that count: those of the license over those of the product, as the state allows (reference, section 4).
// Pure, no enforcement; whether a number is over a cap is limits.ts.
import { UNLIMITED } from '../contract/catalog.ts'
import { ENVELOPE_UNLIMITED, type LimitValues } from '../contract/claims.ts'
import type { Caps } from './default-limits.ts'
import type { LicenseState } from './states.ts'

/** What a license says of limits. @internal */
export interface LicensedLimits {
  limits: Caps
  /** What a limit is that the license does not name: the product's default, or, under `quotas`, unlimited. */
  unnamed: 'default' | 'unlimited'
}

export type LimitSource = 'license' | 'default'

export interface EffectiveLimit {
  /** `Infinity` is unlimited. */
  cap: number
  source: LimitSource
}

/** By name: each limit of the product, and each further one that the license brings. */
export type EffectiveLimits<K extends string = string> = Readonly<Record<K, EffectiveLimit>>

/** Whether the limits of a license count at all: in ACTIVE and GRACE. @internal */
export function licenseCounts(state: LicenseState): boolean {
  return state === 'ACTIVE' || state === 'GRACE'
}

/** License over defaults in ACTIVE and GRACE, defaults otherwise; each value with its source. @internal */
export function effectiveLimits<K extends string>(
  license: LicensedLimits | null,
  defaults: Caps<K>,
  state: LicenseState,
): EffectiveLimits<K> {
  const inForce = licenseCounts(state) ? license : null
  const effective = Object.entries<number>(defaults).map(([name, cap]): [string, EffectiveLimit] => [
    name,
    inForce?.unnamed === 'unlimited'
      ? { cap: Number.POSITIVE_INFINITY, source: 'license' }
      : { cap, source: 'default' },
  ])
  for (const [name, cap] of Object.entries(inForce?.limits ?? {})) {
    effective.push([name, { cap, source: 'license' }])
  }
  return Object.fromEntries(effective) as Record<K, EffectiveLimit>
}

/** The limits of an envelope: 2147483647 is unlimited, and less than nothing allows nothing, as −1 would (section 4). @internal */
export function capsOfEnvelope(limits: Readonly<LimitValues>): Caps {
  return mapLimits(limits, (limit) =>
    limit === ENVELOPE_UNLIMITED ? Number.POSITIVE_INFINITY : Math.max(0, limit),
  )
}

/** The `limits` or `quotas` of any other grant: −1 is unlimited. @internal */
export function capsOfClaims(limits: Readonly<LimitValues>): Caps {
  return mapLimits(limits, (limit) => (limit === UNLIMITED ? Number.POSITIVE_INFINITY : limit))
}

/** A cap as JSON shows it: unlimited is −1. @internal */
export function capOnWire(cap: number): number {
  return cap === Number.POSITIVE_INFINITY ? UNLIMITED : cap
}

function mapLimits(limits: Readonly<LimitValues>, read: (limit: number) => number): Caps {
  return Object.fromEntries(Object.entries(limits).map(([name, limit]) => [name, read(limit)]))
}
