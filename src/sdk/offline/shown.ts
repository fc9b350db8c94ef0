// What an admin sees of the installed license: the bodies of wire format section 4. Never the token.
import type { EnvelopePayload } from '../../contract/claims.ts'
import { capOnWire } from '../../license/effective-limits.ts'
import { stateMessage } from '../../license/messages.ts'
import type { LicenseState } from '../../license/states.ts'
import { DAY } from '../../license/times.ts'
import { shownGrant, standingOf } from '../enforce/standing.ts'
import { isoOf } from '../explain/explain.ts'
import type { SdkState } from '../state/state.ts'

export interface ShownEnvelope {
  licenseId: string
  tenantId: string
  label: string | null
  /** As signed: 2147483647 is unlimited. */
  limits: Readonly<Record<string, number>>
  issuedAt: string
  expiresAt: string
  gracePeriodDays: number
  tier?: string
  features?: readonly string[]
  instanceId?: string
}

export interface LicenseBody {
  state: LicenseState
  /** Why it is INVALID; where another license is in force, why the last one that came was refused. */
  invalidReason: string | null
  envelope: ShownEnvelope | null
  lastValidatedAt?: string
}

export interface UsageRow {
  key: string
  /** Null where it could not be read. */
  current: number | null
  /** −1 is unlimited. */
  cap: number
  source: 'license' | 'default'
}

export interface UsageBody {
  state: LicenseState
  expiresAt: string | null
  /** Whole days; negative once it has ended. */
  daysRemaining: number | null
  gracePeriodDays: number
  tenantId: string | null
  label: string | null
  lastValidatedAt?: string
  /** What to know and do; null while all is well. */
  message: string | null
  limits: UsageRow[]
}

const iso = (seconds: number) => isoOf(seconds * 1000)

/** @internal */
export function showEnvelope(claims: EnvelopePayload): ShownEnvelope {
  const {
    licenseId,
    tenantId,
    label = null,
    limits,
    iat,
    exp,
    gracePeriodDays,
    tier,
    features,
    instanceId,
  } = claims
  return {
    licenseId,
    tenantId,
    label,
    limits,
    issuedAt: iso(iat),
    expiresAt: iso(exp),
    gracePeriodDays,
    ...(tier === undefined ? {} : { tier }),
    ...(features === undefined ? {} : { features }),
    ...(instanceId === undefined ? {} : { instanceId }),
  }
}

/** @internal */
export function usageBody(
  state: SdkState,
  limits: Readonly<Record<string, { cap: number; source: 'license' | 'default' }>>,
  usage: Readonly<Record<string, number>> | null,
  installed: { claims: EnvelopePayload; token: string } | null,
): Omit<UsageBody, 'lastValidatedAt'> {
  const standing = standingOf(state)
  const { term, now } = standing
  // Another license may be the one that counts.
  const own = installed && shownGrant(state)?.token === installed.token ? installed.claims : null
  const end = term?.exp ?? null
  return {
    state: standing.state,
    expiresAt: end === null ? null : iso(end),
    daysRemaining: end === null ? null : Math.trunc((end - now) / DAY),
    gracePeriodDays: term?.graceDays ?? 0,
    tenantId: own?.tenantId ?? null,
    label: own?.label ?? null,
    message: stateMessage(standing),
    limits: Object.entries(limits).map(([key, { cap, source }]) => ({
      key,
      current: usage === null ? null : (usage[key] ?? 0),
      cap: capOnWire(cap),
      source,
    })),
  }
}
