// The License object over a driver: reads from memory, tells changes, passes requests on. Never throws.
import { diagnose } from '../explain/diagnose.ts'
import { explain } from '../explain/explain.ts'
import { callSafely, wordsOf } from '../guard.ts'
import type { HostLog } from '../host/port.ts'
import type { License, LicenseChange, StopOptions } from '../public/license.ts'
import type { Channel } from '../sync/channel.ts'
import type { Trust } from '../trust/trust.ts'
import type { Reporter } from '../wire/report.ts'
import type { OfflineActivation } from './activation.ts'
import type { Driver } from './driver.ts'
import type { Gates } from './gates.ts'

/** Unknown limits that are warned of, each once. */
const MOST_UNKNOWN = 100

export interface LicensePort {
  driver: Driver
  gates: Gates
  log: HostLog
  reporter: Reporter
  channel: Channel
  trust(): Trust | null
  storage(): string | null
  /** A follower has no one to ask but the disk. Never rejects. */
  lookAfter(): Promise<void>
  /** Resolves with the work, or once it has taken longer than any server and disk that answer at all. */
  within(work: Promise<void>): Promise<void>
  activation: OfflineActivation
  /** Finds an offline answer that another process has installed. */
  pickUp(): Promise<void>
  stop(options: StopOptions): Promise<void>
}

export interface Listeners {
  tell(change: LicenseChange): void
  add(listener: (change: LicenseChange) => void): () => void
}

export function openListeners(log: HostLog): Listeners {
  const listeners = new Set<(change: LicenseChange) => void>()
  return {
    tell(change) {
      for (const listener of listeners) {
        callSafely(
          () => listener(change),
          (error) => log.error(`A listener of license changes failed: ${wordsOf(error)}`),
        )
      }
    },
    add(listener) {
      const own = (change: LicenseChange) => listener(change)
      listeners.add(own)
      return () => {
        listeners.delete(own)
      }
    },
  }
}

export function licenseOver(port: LicensePort, listeners: Listeners): License {
  const { driver, gates } = port
  const unknown = new Set<string>()
  let stopped: Promise<void> | null = null
  return {
    has: gates.has,
    limit(name) {
      const limit = gates.limit(name)
      if (limit !== undefined) return limit
      if (!unknown.has(name) && unknown.size < MOST_UNKNOWN) {
        unknown.add(name)
        port.log.warn(`Limit ${name} is neither in the license nor in community.limits: 0 counts`)
      }
      return 0
    },
    get state() {
      return gates.view.state
    },
    get source() {
      return gates.view.source
    },
    get tier() {
      return gates.view.tier
    },
    get downgraded() {
      return gates.view.downgraded
    },
    get killed() {
      return gates.view.killed
    },
    get reason() {
      return gates.view.reason
    },
    get instanceId() {
      return driver.state().config.instanceId
    },
    on: (_event, listener) => listeners.add(listener),
    explain() {
      // As of now, not of the last minute.
      driver.dispatch({ type: 'tick' })
      return explain(driver.state())
    },
    diagnostics() {
      driver.dispatch({ type: 'tick' })
      return diagnose(driver.state(), {
        storage: port.storage(),
        keySet: port.trust()?.keySet() ?? null,
        reporter: port.reporter,
        sync: port.channel.show(),
      })
    },
    async refreshNow() {
      const ask = async () => {
        if (driver.state().role === 'follower') await port.lookAfter()
        await port.pickUp()
        await driver.asked()
        await driver.flush()
      }
      await port.within(ask())
    },
    activationRequest: () => port.activation.request(),
    installActivation: (text) => port.activation.install(text),
    stop(options = {}) {
      stopped ??= port.within(port.stop(options))
      return stopped
    },
  }
}
