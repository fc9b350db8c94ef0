// Carries events to the reducer and its effects out to the platform. Decides nothing; never throws.
import type { Disk, Owner } from '../disk/disk.ts'
import { wordsOf } from '../guard.ts'
import type { Host } from '../host/port.ts'
import type { LicenseChange } from '../public/license.ts'
import type { Effect } from '../state/effects.ts'
import type { Event, TimedEvent } from '../state/events.ts'
import { reduce } from '../state/reduce.ts'
import { LONGEST_LOOK, nextLook } from '../state/requests.ts'
import type { SdkState } from '../state/state.ts'
import { toStored } from '../state/stored.ts'
import { effectiveGrant } from '../state/view.ts'
import { nowSeconds } from '../time/clock.ts'
import type { Trust } from '../trust/trust.ts'
import type { Gates } from './gates.ts'

export interface DriverPort {
  host: Host
  gates: Gates
  trust(): Trust | null
  disk(): Disk | null
  /** Sends a request and brings its answer back as an event. Never rejects. */
  send(effect: Extract<Effect, { type: 'send' }>): Promise<void>
  /** Looks after the lock and what others have written. Never rejects. */
  lookAfter(): Promise<void>
  onChange(change: LicenseChange): void
  /** The state has moved on. Never throws. */
  onState(state: SdkState): void
}

export interface Driver {
  state(): SdkState
  dispatch(event: Event): void
  /** Resolves when the start is over. */
  settled: Promise<void>
  /** Resolves when what was asked has been answered, or cannot be. */
  asked(): Promise<void>
  /** Resolves when all that was to be written has been. */
  flush(): Promise<void>
  owner(): Owner
  end(): void
}

export function drive(first: SdkState, port: DriverPort): Driver {
  const { host, gates } = port
  let state = first
  let cancelTimer = () => {}
  let ended = false
  let writing: Promise<void> = Promise.resolve()
  let saveWaits = false
  let settle = () => {}
  const settled = new Promise<void>((resolve) => {
    settle = resolve
  })
  const askers = new Set<() => void>()

  function dispatch(event: Event): void {
    if (ended) return
    const at = { wall: host.clock.wall(), mono: host.clock.monotonic() }
    step({ ...event, at })
    cancelTimer()
    cancelTimer = host.timers.after(untilLook(), onTimer)
    port.onState(state)
  }

  /** Whatever the reducer trips over stays here: the state is what it was, and what waits does not wait for ever. */
  function step(event: TimedEvent): void {
    const before = state
    try {
      const reduced = reduce(before, event)
      state = reduced.state
      if (state.view !== before.view || state.slots !== before.slots) {
        gates.show(state.view, unnamedLimit(state))
      }
      for (const effect of reduced.effects) perform(effect)
    } catch (error) {
      report(error)
      if (event.type === 'start_deadline') settle()
      endAskers()
      const isFailure = event.type === 'answered' && event.outcome.kind === 'unreachable'
      // The request is over all the same; it counts as one that failed, and is tried again.
      if (event.type === 'answered' && !isFailure) {
        step({ ...event, outcome: { kind: 'unreachable', why: wordsOf(error) } })
      }
    }
  }

  function untilLook(): number {
    try {
      return nextLook(state)
    } catch {
      return LONGEST_LOOK
    }
  }

  function endAskers(): void {
    for (const resolve of askers) resolve()
    askers.clear()
  }

  function onTimer(): void {
    dispatch({ type: 'tick' })
    port.lookAfter().catch(report)
  }

  function perform(effect: Effect): void {
    switch (effect.type) {
      case 'log':
        host.log[effect.level](effect.message)
        break
      case 'change':
        port.onChange(effect.change)
        break
      case 'settled':
        settle()
        break
      case 'asked_done':
        endAskers()
        break
      case 'save':
        save()
        break
      case 'save_cache':
        write('cache', (disk, trust) => disk.saveCache(effect.grant, trust, nowSeconds(state.time)))
        break
      case 'send':
        port.send(effect).catch(report)
        break
    }
  }

  /** One write after another; a save that waits its turn writes the newest state, once. */
  function save(): void {
    if (saveWaits) return
    saveWaits = true
    write('state', (disk, trust) => {
      saveWaits = false
      return disk.saveState(toStored(state), trust.keySet()?.token ?? null)
    })
  }

  function write(what: 'state' | 'cache', work: (disk: Disk, trust: Trust) => Promise<boolean>): void {
    const disk = port.disk()
    const trust = port.trust()
    if (disk && trust)
      writing = writing.then(() => writeOne(what, disk, () => work(disk, trust))).catch(report)
    else saveWaits = false
  }

  /** Only under the lock: a process that slept may wake up as one that leads no more. */
  async function writeOne(what: 'state' | 'cache', disk: Disk, work: () => Promise<boolean>): Promise<void> {
    const leads = state.role === 'leader' ? await disk.lead() : false
    if (leads === false) {
      saveWaits = false
      if (state.role === 'leader') dispatch({ type: 'role', role: 'follower' })
    } else if (!(await work())) dispatch({ type: 'save_failed', what })
  }

  /** The host is guarded: its log throws nothing. */
  function report(error: unknown): void {
    host.log.warn(`License runtime: ${wordsOf(error)}`)
  }

  return {
    state: () => state,
    dispatch,
    settled,
    async asked() {
      dispatch({ type: 'asked' })
      if (state.asked.length === 0) return
      await new Promise<void>((resolve) => askers.add(resolve))
    },
    flush: () => writing,
    owner: () => ({
      product: state.config.product,
      issuer: state.config.issuer,
      instanceId: state.config.instanceId,
    }),
    end() {
      dispatch({ type: 'stopped' })
      ended = true
      cancelTimer()
      settle()
      endAskers()
    },
  }
}

/** Under quotas a limit that is not named is unlimited; elsewhere it is the product's mistake. */
function unnamedLimit(state: SdkState): number | undefined {
  return effectiveGrant(state)?.unnamed === 'unlimited' ? Number.POSITIVE_INFINITY : undefined
}
