// One run of the SDK: wires platform, disk, trust and driver together, looks after the lock, and ends it all in order.
import { type Disk, openDisk } from '../disk/disk.ts'
import { wordsOf } from '../guard.ts'
import type { Host } from '../host/port.ts'
import type { CheckedOptions } from '../options/check.ts'
import type { StopOptions } from '../public/license.ts'
import type { Role, SdkState } from '../state/state.ts'
import { toStored } from '../state/stored.ts'
import type { Trust } from '../trust/trust.ts'
import { composeRelease } from '../wire/compose.ts'
import type { Reporter } from '../wire/report.ts'
import { sendHttp } from '../wire/send.ts'
import { type OfflineActivation, openActivation } from './activation.ts'
import { ask, takeOver } from './ask.ts'
import type { Driver, DriverPort } from './driver.ts'
import type { Gates } from './gates.ts'
import { findInstanceId, openLicense } from './open.ts'

/** Milliseconds between two looks at the lock, and between a waiting follower's looks at the files. */
const LOOK = 50_000
const FOLLOWER_LOOK = 500
/** And between a leader's looks for an offline answer that somebody else has installed. */
const PICK_UP = 3_600_000

export interface SessionPort {
  host: Host
  options: CheckedOptions
  trust: Trust
  gates: Gates
  reporter: Reporter
  driver(): Driver
  onInstanceId(id: string): void
}

export interface Session extends Pick<DriverPort, 'disk' | 'send' | 'lookAfter'> {
  activation: OfflineActivation
  pickUp(): Promise<void>
  storage(): string | null
  /** Begins to read options and disk, and tells the state. */
  open(): void
  look(): Promise<void>
  stop(options: StopOptions): Promise<void>
}

export function openSession(port: SessionPort): Session {
  const { host, options, trust } = port
  const stopping = new AbortController()
  let disk: Disk | null = null
  let place: string | null = null
  let opening: Promise<void> = Promise.resolve()
  let asking: Promise<void> = Promise.resolve()
  let looking: Promise<void> | null = null
  let lookedAt = host.clock.monotonic()
  let pickedUpAt = lookedAt

  const activation = openActivation({
    host,
    trust,
    driver: port.driver,
    async ready() {
      await opening
      await look()
      await pickUp()
    },
  })

  async function openStorage(): Promise<void> {
    if (options.dataDir === false) return
    try {
      const storage = await host.openStorage(options.dataDir, options.product)
      if (storage === null) return
      place = storage.place
      disk = openDisk(storage, host.log)
      activation.keepIn(storage)
    } catch (error) {
      host.log.warn(`License data cannot be kept: ${wordsOf(error)}; going on from memory`)
    }
  }

  async function open(): Promise<void> {
    await openStorage()
    const role = roleOf(disk ? await disk.lead() : null)
    const instanceId = await findInstanceId({ host, options }, disk, role)
    port.onInstanceId(instanceId)
    const own = { product: options.product, issuer: options.trust.issuer, instanceId }
    const stored = disk ? await disk.loadState(own, role === 'leader') : null
    if (stored) port.driver().dispatch({ type: 'remembered', time: stored.time })
    const state = () => port.driver().state()
    const opened = await openLicense({ host, options, trust, disk, state }, { instanceId, role, stored })
    const installed = await activation.found()
    if (stopping.signal.aborted) return
    port.driver().dispatch({ ...opened, activation: installed })
    watch()
  }

  /** A follower that has nothing yet looks again soon: the leader may be getting it just now. */
  function watch(): void {
    const { role, settled } = port.driver().state()
    if (role !== 'follower' || settled || stopping.signal.aborted) return
    host.timers.after(FOLLOWER_LOOK, () => {
      look().then(watch, () => {})
    })
  }

  function look(): Promise<void> {
    looking ??= lookOnce().finally(() => {
      looking = null
    })
    return looking
  }

  async function lookOnce(): Promise<void> {
    if (disk === null || stopping.signal.aborted) return
    const driver = port.driver()
    lookedAt = host.clock.monotonic()
    const { role: was } = driver.state()
    const role = roleOf(await disk.lead())
    if (stopping.signal.aborted) return
    // What a former leader has learned comes before what this process does as the next one.
    if (role === 'follower' || was === 'follower' || disk.isUnread()) await takeOver(driver, disk, trust)
    driver.dispatch({ type: 'role', role })
    if (role === 'follower' || lookedAt - pickedUpAt >= PICK_UP) await pickUp()
  }

  /** An answer that another process has installed, or a person with the command line. */
  async function pickUp(): Promise<void> {
    pickedUpAt = host.clock.monotonic()
    const activated = await activation.found()
    if (activated) port.driver().dispatch({ type: 'activation', activated })
  }

  async function giveBack(state: SdkState): Promise<void> {
    const request = composeRelease(state)
    if (request === null || state.role === 'follower') return
    const result = await sendHttp(host, { method: 'POST', ...request, timeout: options.connectTimeout })
    if (!result.ok || result.status >= 300) {
      host.log.warn(`The seat could not be given back: ${result.ok ? `HTTP ${result.status}` : result.why}`)
      return
    }
    port.driver().dispatch({ type: 'released' })
    await disk?.dropCache()
  }

  async function stop({ release = false }: StopOptions): Promise<void> {
    stopping.abort()
    await Promise.allSettled([opening, asking, looking ?? Promise.resolve()])
    const driver = port.driver()
    if (release) await giveBack(driver.state())
    await driver.flush()
    const last = driver.state()
    driver.end()
    if (disk === null) return
    if (last.role === 'leader' && (await disk.lead())) {
      await disk.saveState(toStored(last), trust.keySet()?.token ?? null)
    }
    await disk.release()
  }

  return {
    disk: () => disk,
    activation,
    pickUp,
    storage: () => place,
    open() {
      opening = open().catch((error: unknown) => {
        host.log.error(`License runtime could not be opened: ${wordsOf(error)}`)
        port.driver().dispatch({ type: 'start_deadline' })
      })
    },
    send(effect) {
      const { gates, reporter } = port
      asking = ask(effect, {
        host,
        driver: port.driver(),
        trust,
        disk,
        reporter,
        gates,
        timeout: options.connectTimeout,
        stop: stopping.signal,
      })
      return asking
    },
    look,
    async lookAfter() {
      if (host.clock.monotonic() - lookedAt >= LOOK) await look()
    },
    stop: (given) =>
      stop(given).catch((error: unknown) => {
        host.log.warn(`License runtime could not be stopped in order: ${wordsOf(error)}`)
      }),
  }
}

function roleOf(leads: boolean | null): Role {
  return leads === null ? 'alone' : leads ? 'leader' : 'follower'
}
