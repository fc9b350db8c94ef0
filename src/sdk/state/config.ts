// What does not change while the SDK runs: the options, checked and completed. Holds credentials; never shown.
import type { Explanation } from '../explain/explanation.ts'
import type { Limits } from '../grants/grant.ts'
import type { ClockPolicy, TierGrant } from '../options.ts'

export interface Config {
  product: string
  version: string
  /** Without a slash at its end; null: nothing is ever sent. */
  serverUrl: string | null
  issuer: string
  /** What directives are verified with: see `Explanation.directives`. */
  directives: Explanation['directives']
  instanceId: string
  /** UUID of this process start. */
  bootId: string
  apiKey: string | null
  licenseKey: string | null
  community: { tier: string; features: readonly string[]; limits: Limits }
  tiers: Readonly<Record<string, TierGrant>>
  /** Milliseconds. */
  refreshInterval: number
  /** Milliseconds. */
  heartbeatInterval: number
  graceDays: number
  clockPolicy: ClockPolicy
  allowInsecure: boolean
  /** Whether the live channel is used where it is offered. */
  sync: boolean
  fingerprint: string | null
  hostname: string | null
  os: string | null
  arch: string | null
}
