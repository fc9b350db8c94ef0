// What `license.explain()` says, as data. How it is put together and put into words is explain.ts and text.ts.
import type { LicenseState } from '../../license/states.ts'
import type { LicenseSource, LicenseView } from '../public/license.ts'

/** Where a feature's or limit's value comes from. */
export type Origin = LicenseSource | 'default'

export interface ExplainedFeature {
  name: string
  origin: Origin
}

export interface ExplainedLimit {
  name: string
  /** `Infinity` is unlimited. */
  value: number
  origin: Origin
}

/** A license that is held, whether or not it counts. */
export interface ExplainedGrant {
  kind: 'jwt' | 'lease' | 'license_key' | 'envelope'
  origin: LicenseSource
  licenseId: string
  tier: string
  /** By its own dates; INVALID where its license or its key was taken back. */
  state: LicenseState
  /** Whether it is the one that gives the rights in force: of those in force the first, of its license the newest. */
  counts: boolean
  /** RFC 3339. */
  issuedAt: string
  expiresAt: string | null
}

/** One step of the resolution order, or one later attempt of it: the last outcome of each. */
export interface TriedStep {
  step: 'token' | 'token_file' | 'api_key' | 'license_key' | 'cache' | 'activation' | 'envelope' | 'refresh'
  /** `in_force`, `verified`, or the code of what stood against it. */
  outcome: string
  /** For people; never a secret. */
  detail?: string
  /** RFC 3339. */
  at: string
}

export interface NextStep {
  what:
    | 'refresh'
    | 'heartbeat'
    | 'register'
    | 'lease_ends'
    | 'license_ends'
    | 'grace_ends'
    | 'clock_catches_up'
  /** RFC 3339. */
  at: string
}

export interface Explanation {
  view: LicenseView
  instanceId: string
  /** `leader` speaks with the server, `follower` reads the leader's files, `alone` has no disk. */
  role: 'leader' | 'follower' | 'alone' | 'stopped'
  licenseId: string | null
  customer: string | null
  trial: boolean
  /**
   * What directives and offline answers are verified with: the root-signed key set, or `control` keys that are pinned by
   * hand. `none`: no control key is trusted, so that none of them can take effect.
   */
  directives: 'key_set' | 'pinned_keys' | 'none'
  /** The relay that leased the license while the vendor could not be reached; null where the vendor granted it. */
  relay: string | null
  /** RFC 3339, or null where nothing ends. */
  expiresAt: string | null
  graceEndsAt: string | null
  graceDaysLeft: number | null
  features: readonly ExplainedFeature[]
  limits: readonly ExplainedLimit[]
  /** In the resolution order: static token, server or its cache, offline answer, envelope, license key. */
  grants: readonly ExplainedGrant[]
  tried: readonly TriedStep[]
  next: readonly NextStep[]
  /** What to do, most urgent first; empty where all is well. */
  todo: readonly string[]
  /** All of it in words. */
  text: string
}
