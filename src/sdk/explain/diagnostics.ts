// What `license.diagnostics()` says, as data: for a support page or a bundle. Never a secret.
import type { LicenseView } from '../public/license.ts'

/** The very JSON text that the next report consists of. Beside it a request carries only nonce and refresh chain. */
export interface NextReport {
  heartbeat: string
  /** Null where the license is not renewed by its JWT. */
  refresh: string | null
}

/** The live channel. `waiting` ends by itself, `refused` with another credential. */
export interface ChannelView {
  state: 'off' | 'connecting' | 'open' | 'waiting' | 'refused'
  /** The number of the last event heard. */
  lastEvent: number | null
  /** Messages that were none. */
  malformed: number
}

export interface Diagnostics {
  view: LicenseView
  sdk: string
  instanceId: string
  bootId: string
  role: 'leader' | 'follower' | 'alone' | 'stopped'
  serverUrl: string | null
  storage: string | null
  keySetNumber: number | null
  keySetExpiresAt: string | null
  lastContactAt: string | null
  /** What a relay said of its last answer: `hit; age=0`, `stale; …`, `grace; …`. Nothing depends on it. */
  relayCache: string | null
  /** The last failure since the last contact. */
  lastFailure: string | null
  sync: ChannelView
  clock: { wall: string; counted: string; floor: string | null; behind: boolean }
  nextReport: NextReport
}
