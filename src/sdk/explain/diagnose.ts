// Puts `license.diagnostics()` together.
import { refreshableJwt } from '../state/requests.ts'
import type { SdkState } from '../state/state.ts'
import { floorNow, isBehind, now } from '../time/clock.ts'
import type { Reporter } from '../wire/report.ts'
import type { ChannelView, Diagnostics } from './diagnostics.ts'
import { isoOf } from './explain.ts'

/** Version of the SDK, as its package.json has it. */
export const SDK_VERSION = '0.1.0'

export interface DiagnosticsBeside {
  storage: string | null
  keySet: { number: number; expiresAt: number } | null
  reporter: Reporter
  sync: ChannelView
}

export function diagnose(
  state: SdkState,
  { storage, keySet, reporter, sync }: DiagnosticsBeside,
): Diagnostics {
  const { config, time, view, role, lastContact, lastFailure } = state
  const floor = floorNow(time)
  return {
    view,
    sdk: SDK_VERSION,
    instanceId: config.instanceId,
    bootId: config.bootId,
    role,
    serverUrl: config.serverUrl,
    storage,
    keySetNumber: keySet?.number ?? null,
    keySetExpiresAt: keySet ? isoOf(keySet.expiresAt * 1000) : null,
    relayCache: state.relayCache,
    lastContactAt: lastContact === null ? null : isoOf(lastContact),
    lastFailure: lastFailure ? `${lastFailure.code}: ${lastFailure.text}` : null,
    sync,
    clock: {
      wall: isoOf(time.at.wall),
      counted: isoOf(now(time)),
      floor: Number.isFinite(floor) ? isoOf(floor) : null,
      behind: isBehind(time),
    },
    nextReport: {
      heartbeat: reporter.show('heartbeat'),
      refresh: refreshableJwt(state) === null ? null : reporter.show('refresh'),
    },
  }
}
