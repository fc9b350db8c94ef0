// The public License object's type: what a product reads, hears and may ask for. Implements nothing.
import type { LicenseState } from '../../license/states.ts'
import type { Diagnostics } from '../explain/diagnostics.ts'
import type { Explanation } from '../explain/explanation.ts'
import type { ActivationResult } from './activation.ts'

/** Where the rights in force come from. */
export type LicenseSource = 'static' | 'online' | 'cache' | 'offline' | 'community'

/** What a product may do, as far as a change of it is told. */
export interface LicenseView {
  state: LicenseState
  source: LicenseSource
  tier: string
  /** Sorted. */
  features: readonly string[]
  /** `Infinity` is unlimited. */
  limits: Readonly<Record<string, number>>
  killed: boolean
  downgraded: boolean
  /** Code of why the license is not ACTIVE; null while it is. */
  reason: string | null
}

export interface LicenseChange {
  before: LicenseView
  after: LicenseView
  /** Names of the members of the view that differ. */
  changed: readonly (keyof LicenseView)[]
  featuresAdded: readonly string[]
  featuresRemoved: readonly string[]
  limitsChanged: readonly string[]
  /** What caused it, for people: "the server said: license revoked". */
  why: string
  /** RFC 3339. */
  at: string
}

export interface StopOptions {
  /** Gives the seat back (license key mode), so that another instance can take it. Default `false`. */
  release?: boolean
}

/** None of its members throws for anything that the network, the disk, the server or the license did. */
export interface License<F extends string = string, L extends string = string> {
  /** Whether the feature is granted now. Read from memory. */
  has(feature: F): boolean
  /**
   * The limit in force; `Infinity` is unlimited. A name that neither the license nor `community.limits` knows is a
   * programming error: 0, and one warning.
   */
  limit(name: L): number
  readonly state: LicenseState
  readonly source: LicenseSource
  readonly tier: string
  /** The vendor lowered this instance to the community tier. */
  readonly downgraded: boolean
  /** The vendor switched this instance off. */
  readonly killed: boolean
  /** Code of why the license is not ACTIVE (`license_revoked`, `expired`, `api_key_unknown`, …); null while it is. */
  readonly reason: string | null
  readonly instanceId: string
  /** Tells each change once; returns the cancellation. A listener that throws is logged. */
  on(event: 'change', listener: (change: LicenseChange) => void): () => void
  explain(): Explanation
  diagnostics(): Diagnostics
  /** Asks the server now, and resolves when it has answered or not. A follower reads the leader's files again. */
  refreshNow(): Promise<void>
  /** The request file of an offline activation; the last 32 stay open. */
  activationRequest(): Promise<string>
  /** Installs the answer file; a refusal changes no right. */
  installActivation(text: string): Promise<ActivationResult>
  /** Ends timers and requests, keeps what has to be kept, and lets another process lead. */
  stop(options?: StopOptions): Promise<void>
}
