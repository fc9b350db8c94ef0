// What an instance loses when something is taken, and when. Pure: looks nothing up, changes nothing.
import type { CredentialSource } from '../../contract/catalog.ts'
import type { Action } from '../../contract/claims.ts'
import { type LimitChange, loweredLimits } from '../../license/limits.ts'
import { addDays, addSeconds } from '../../platform/time.ts'

export interface Rights {
  tier: string
  features: readonly string[]
  limits: Readonly<Record<string, number>>
}

/** A seat that the instance holds. */
export interface SubjectSeat {
  licenseId: string
  credential: { source: CredentialSource; id: string }
  /** Of the license's tier. */
  rank: number
  rights: Rights
  /** Whether the license grants anything now. */
  inForce: boolean
  /** End of the last lease, grace included. */
  leaseEndsAt: Date
  graceDays: number
}

export interface Subject {
  instanceKey: string
  instanceId: string
  product: string
  action: Action
  lastSeenAt: Date
  /** Those of the product's lowest tier: what is left without a license. */
  lowest: Rights
  seats: readonly SubjectSeat[]
}

export type Taking =
  | { kind: 'action'; action: Action }
  | { kind: 'license'; licenseId: string }
  | { kind: 'credential'; source: CredentialSource; id: string; endsSessions: boolean }

/**
 * `directive`: told by a signed word, and obeyed, at the next heartbeat or refresh (T1). `validate`: the credential is
 * refused from now on; a client that validates with it stops at that, one that refreshes its license JWT goes on.
 * `expiry`: nothing new is issued, and what is in force runs out (T2); of an API key whose sessions are not ended that
 * is so for a client that exchanges it again, and one that refreshes its license JWT goes on. `nothing`: it loses
 * nothing.
 */
export type TakenBy = 'directive' | 'validate' | 'expiry' | 'nothing'

export interface Effect {
  instanceKey: string
  instanceId: string
  product: string
  tierBefore: string | null
  tierAfter: string | null
  featuresLost: string[]
  limitsLowered: LimitChange[]
  takenBy: TakenBy
  /** When it is due to report next; in the past where it is overdue. */
  nextHeartbeatBy: Date
  /** Unreached, it runs in full until then; null without a lease. */
  leaseEndsAt: Date | null
  /** Unreached, it loses everything at the latest then. */
  graceEndsAt: Date | null
}

/** `heartbeatInterval` in seconds. */
export function effectOf(subject: Subject, taking: Taking, heartbeatInterval: number): Effect {
  const before = rightsOf(subject)
  const after = rightsOf(afterTaking(subject, taking))
  const featuresLost = (before?.features ?? []).filter((name) => !after?.features.includes(name))
  const limitsLowered = loweredLimits(before?.limits ?? {}, after?.limits ?? {})
  const falls = before !== null && before.tier !== after?.tier
  const loses = falls || featuresLost.length + limitsLowered.length > 0
  const touched = subject.seats.filter((seat) => isTouched(seat, taking))
  const last = touched.toSorted((a, b) => b.leaseEndsAt.getTime() - a.leaseEndsAt.getTime())[0]
  return {
    instanceKey: subject.instanceKey,
    instanceId: subject.instanceId,
    product: subject.product,
    tierBefore: before?.tier ?? null,
    tierAfter: after?.tier ?? null,
    featuresLost,
    limitsLowered,
    takenBy: loses ? takenBy(taking) : 'nothing',
    nextHeartbeatBy: addSeconds(subject.lastSeenAt, heartbeatInterval),
    leaseEndsAt: last ? addDays(last.leaseEndsAt, -last.graceDays) : null,
    graceEndsAt: last?.leaseEndsAt ?? null,
  }
}

/** What is granted now: nothing while killed, the lowest tier while downgraded, else the highest seat in force (T3, T9). */
function rightsOf({ action, lowest, seats }: Subject): Rights | null {
  if (action === 'kill') return null
  if (action === 'downgrade') return lowest
  const best = seats.filter(({ inForce }) => inForce).toSorted((a, b) => b.rank - a.rank)[0]
  return best?.rights ?? lowest
}

function afterTaking(subject: Subject, taking: Taking): Subject {
  if (taking.kind === 'action') return { ...subject, action: taking.action }
  return { ...subject, seats: subject.seats.filter((seat) => !isTouched(seat, taking)) }
}

function isTouched(seat: SubjectSeat, taking: Taking): boolean {
  switch (taking.kind) {
    case 'action':
      return true
    case 'license':
      return seat.licenseId === taking.licenseId
    case 'credential':
      return seat.credential.source === taking.source && seat.credential.id === taking.id
  }
}

function takenBy(taking: Taking): TakenBy {
  if (taking.kind !== 'credential') return 'directive'
  // A license key is presented again with each validate; an API key is only exchanged.
  return taking.source === 'license_key' && !taking.endsSessions ? 'validate' : 'expiry'
}
