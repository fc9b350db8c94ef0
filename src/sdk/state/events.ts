// Everything that can happen to the state. What came from outside was verified before: an event carries facts.
import type { DirectiveClaims } from '../../contract/claims.ts'
import type { TriedStep } from '../explain/explanation.ts'
import type { Slots } from '../grants/choose.ts'
import type { Grant } from '../grants/grant.ts'
import type { Instant, StoredTime } from '../time/clock.ts'
import type { Want } from './hints.ts'
import type { Activated, HeldLicenseKey, InstallFault, Role, TaskKind } from './state.ts'
import type { StoredState } from './stored.ts'

/** What the disk and the options held when the SDK started. */
export interface Opened {
  type: 'opened'
  instanceId: string
  role: Role
  stored: StoredState | null
  slots: Pick<Slots, 'static' | 'session' | 'envelope'>
  licenseKey: HeldLicenseKey | null
  /** The offline answer that is installed. */
  activation?: Activated | null
  invalid: readonly string[]
  tried: readonly Omit<TriedStep, 'at'>[]
  /** Hash of the credential in use; null where there is none. */
  credential: string | null
}

/** An envelope was installed, validated again, or refused. What is left out stays as it is. */
export interface Installed {
  type: 'installed'
  envelope?: Grant | null
  fault?: InstallFault | null
  why: string
  tried: Omit<TriedStep, 'at' | 'step'>
}

/** A request came back, or did not. */
export type Outcome =
  | {
      /** Nothing that a Leasehold server says: no connection, a timeout, a redirect, HTML, too large. */
      kind: 'unreachable'
      why: string
    }
  | ServerAnswer

export interface ServerAnswer {
  kind: 'answer'
  status: number
  /** The body's `error`, or a denial's `reason`. */
  code: string | null
  message: string | null
  /** Milliseconds. */
  retryAfter: number | null
  /** Verified, and answering this request's nonce (T1). */
  directive: DirectiveClaims | null
  /** Verified license JWT. */
  grant: Grant | null
  /** Why the license JWT or the directive of the answer was not believed. */
  refused: string | null
  refreshToken: string | null
  instanceToken: string | null
  /** SHA-256 of the entitlement token, in hex; null where the answer has none. */
  entitlementHash: string | null
  /** Seconds, as they came. */
  heartbeatInterval: unknown
  refreshInterval: unknown
  /** The live channel's address; null where it is not offered any more, undefined where nothing is said of it. */
  sync?: string | null
  /** What a relay says of where its answer comes from (`Leasehold-Cache`); null from the vendor itself. */
  cache?: string | null
}

/** A request as it was sent. */
export interface Sent {
  task: TaskKind
  request: RequestKind
  /** Whether it proved which instance sent it; other answers carry no token of the chain (T5). */
  proven: boolean
  withInstanceToken: boolean
  /** The lead under which it was sent. */
  term: number
}

export type RequestKind = 'register' | 'exchange' | 'refresh' | 'activate' | 'validate' | 'heartbeat'

export type Event =
  /** The floor that an earlier process knew, before anything is judged by the clock. */
  | { type: 'remembered'; time: StoredTime }
  | Opened
  | { type: 'tick' }
  | { type: 'answered'; sent: Sent; outcome: Outcome }
  /** The disk as another process has left it: read by a follower, or by the leader before it asks. */
  | { type: 'read'; stored: StoredState; session: Grant | null }
  /** An offline answer was installed, here or by another process. */
  | { type: 'activation'; activated: Activated }
  | { type: 'role'; role: Role }
  /** What was to be asked is not to be asked any more. */
  | { type: 'not_sent'; term: number }
  /** A refresh id is about to go out; it has to be on disk before. */
  | { type: 'chained'; refreshId: string }
  | Installed
  | { type: 'keys_revoked'; kids: readonly string[] }
  /** Another key set is in force, and is to be kept. */
  | { type: 'key_set' }
  /** The disk did not take it; it is tried again. */
  | { type: 'save_failed'; what: 'state' | 'cache' }
  /** Someone called refreshNow. */
  | { type: 'asked' }
  /** The live channel says that there is something to ask for. */
  | { type: 'hinted'; want: Want; first: boolean }
  | { type: 'start_deadline' }
  /** The seat was given back. */
  | { type: 'released' }
  | { type: 'stopped' }

/** With the time at which it happened. */
export type TimedEvent = Event & { at: Instant }
