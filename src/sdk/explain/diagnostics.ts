// What `license.diagnostics()` says, as data: for a support page or a bundle. Never a secret.
import type { LicenseView } from '../public/license.ts'

/** The very JSON text that the next report consists of. Beside it a request carries only nonce and refresh chain. */
export interface NextReport {
  heartbeat: string
  /** Null where the license is not renewed by its JWT. */
  refresh: string | null
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
  /** The last failure since the last contact. */
  lastFailure: string | null
  clock: { wall: string; counted: string; floor: string | null; behind: boolean }
  nextReport: NextReport
}
