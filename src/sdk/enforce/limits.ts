// license.assertWithinCap and its family: whether more may be made, now. Counts nothing by itself; the limits are the
// license's, over `community.limits` as the product's own.
import type { EffectiveLimits } from '../../license/effective-limits.ts'
import type { CapReached, CapReachedBody } from '../../license/messages.ts'
import { wordsOf } from '../guard.ts'
import type { License } from '../public/license.ts'
import { insideOf } from '../runtime/inside.ts'
import type { SdkState } from '../state/state.ts'
import { now } from '../time/clock.ts'
import { auditTo, type LicenseAudit } from './audit.ts'
import { CapExceededError, SettingOverCapError } from './errors.ts'
import { keepEnforced } from './inside.ts'
import { type CapLock, memoryLock } from './lock.ts'
import { effectiveOf, standingOf } from './standing.ts'

export type Usage<L extends string = string> = Readonly<Partial<Record<L, number>>>

export interface EnforceOptions<L extends string = string, D = undefined> {
  /** How much of each limit is used now: for the usage page and the metrics. Default: nothing is known of it. */
  usage?: () => Usage<L> | Promise<Usage<L>>
  /** Default: the log. */
  audit?: LicenseAudit
  /** What holds `enforce` together. Default `memoryLock()`: one process alone. */
  lock?: CapLock<D>
}

/** What is asked of a limit: `delta` more than `current`. */
export interface CapRequest<L extends string = string> {
  limit: L
  current: number
  /** Default 1. */
  delta?: number
}

export type CapVerdict = { ok: true } | ({ ok: false } & CapReachedBody)

/**
 * Each refusal is audited and counted. A limit that is not in `community.limits` is a programmer's mistake, and so is a
 * number that is none: a TypeError.
 */
export interface Enforcement<L extends string = string, D = undefined> {
  /** @throws CapExceededError where `current + delta` is more than the cap; `delta` is 1 if left out */
  assertWithinCap(limit: L, current: number, delta?: number): void
  /** The same as a result. To look without asking, compare with `license.limit(…)`. */
  withinCap(limit: L, current: number, delta?: number): CapVerdict
  /** Several together, all or nothing. @throws CapExceededError of the first that is over */
  assertWithinCaps(requests: readonly CapRequest<L>[]): void
  withinCaps(requests: readonly CapRequest<L>[]): CapVerdict
  /**
   * Counts, checks and works while nobody else does the same for this limit: for one more of it, or for as much more of
   * several as is said. Rejects with a CapExceededError, or with what `count`, `work` or the lock's client throws. An
   * `enforce` within the work of another may wait for itself.
   */
  enforce<T>(
    limit: L,
    count: (db: D) => number | Promise<number>,
    work: (db: D) => T | Promise<T>,
  ): Promise<T>
  enforce<T, K extends L>(
    deltas: Readonly<Record<K, number>>,
    count: (db: D) => Readonly<Record<NoInfer<K>, number>> | Promise<Readonly<Record<NoInfer<K>, number>>>,
    work: (db: D) => T | Promise<T>,
  ): Promise<T>
  /** @throws SettingOverCapError (422) for more days than the cap; `name`: what the request calls it, default the limit */
  assertRetention(limit: L, days: number, name?: string): void
  /** @throws SettingOverCapError (422) for more artefacts than may be kept */
  assertArtefactCount(limit: L, count: number): void
  /** The limits in force, each with its source. `Infinity` is unlimited. */
  limits(): EffectiveLimits
}

export type EnforcedLicense<F extends string = string, L extends string = string, D = undefined> = License<
  F,
  L
> &
  Enforcement<L, D>

/** How long one reading of usage may take before a page goes without, milliseconds. */
const USAGE_TIMEOUT = 10_000

/** Gives the license that startLicense resolved to its methods of enforcement, and returns it. */
export function enforceLimits<F extends string, L extends string, D = undefined>(
  license: License<F, L>,
  { usage, audit: port, lock = memoryLock() as CapLock<D> }: EnforceOptions<L, D> = {},
): EnforcedLicense<F, L, D> {
  const { driver, host } = insideOf(license)
  const audit = auditTo(port, host, () => new Date(now(driver.state().time)).toISOString())
  const refusals = new Map<string, number>()
  let known: { view: SdkState['view']; slots: SdkState['slots']; limits: EffectiveLimits } | null = null
  let reading: Promise<Readonly<Record<string, number>> | null> | null = null

  function limits(): EffectiveLimits {
    const { view, slots } = driver.state()
    if (known?.view !== view || known.slots !== slots)
      known = { view, slots, limits: effectiveOf(driver.state()) }
    return known.limits
  }

  function capOf(limit: string): number {
    // Those that a license brings beside them come and go; the product's own are always there.
    if (!Object.hasOwn(driver.state().config.community.limits, limit)) {
      throw new TypeError(`${String(limit)} is no limit of this product: community.limits does not have it`)
    }
    return limits()[limit]?.cap ?? 0
  }

  function reached(limit: string, current: number, delta: number): CapReached | null {
    const cap = capOf(limit)
    if (!(Number.isFinite(current) && Number.isFinite(delta))) {
      throw new TypeError(`${limit}: ${current} and ${delta} more are no numbers to hold against a cap`)
    }
    return current + delta > cap ? { limit, current: current + delta, cap } : null
  }

  function refuse<E extends CapExceededError | SettingOverCapError>(error: E): E {
    const { limit, current, cap, state } = error
    refusals.set(limit, (refusals.get(limit) ?? 0) + 1)
    void audit({ action: 'cap_exceeded', actor: 'system', details: { limit, current, cap, state } })
    return error
  }

  /** As of now, not of the last minute: the words count days. */
  function standing() {
    driver.dispatch({ type: 'tick' })
    return standingOf(driver.state())
  }

  function check(requests: readonly CapRequest[]): CapExceededError | null {
    const over = requests.map(({ limit, current, delta = 1 }) => reached(limit, current, delta))
    const first = over.find((one) => one !== null)
    return first ? refuse(new CapExceededError(standing(), first)) : null
  }

  function assertAll(requests: readonly CapRequest[]): void {
    const error = check(requests)
    if (error) throw error
  }

  function verdict(requests: readonly CapRequest[]): CapVerdict {
    const error = check(requests)
    return error ? { ok: false, ...error.body } : { ok: true }
  }

  function assertSetting(limit: string, value: number, name: string | null): void {
    const over = reached(limit, value, 0)
    if (over) throw refuse(new SettingOverCapError(standing(), over, name))
  }

  async function enforce<T>(
    what: string | Readonly<Record<string, number>>,
    count: (db: D) => unknown,
    work: (db: D) => T | Promise<T>,
  ): Promise<T> {
    const deltas = typeof what === 'string' ? { [what]: 1 } : what
    const names = Object.keys(deltas)
    for (const name of names) capOf(name)
    return lock.hold(names, async (db) => {
      const found = await count(db)
      const counted =
        typeof what === 'string' ? { [what]: found } : (found as Readonly<Record<string, number>>)
      assertAll(
        names.map((limit) => ({ limit, current: counted[limit] as number, delta: deltas[limit] as number })),
      )
      return work(db)
    })
  }

  async function read(): Promise<Readonly<Record<string, number>> | null> {
    if (!usage) return {}
    let cancel = () => {}
    const late = new Promise<never>((_resolve, reject) => {
      cancel = host.timers.after(USAGE_TIMEOUT, () => reject(new Error(`no answer in ${USAGE_TIMEOUT} ms`)))
    })
    try {
      return (await Promise.race([usage(), late])) as Readonly<Record<string, number>>
    } catch (error) {
      host.log.warn(`The usage of limits could not be read: ${wordsOf(error)}`)
      return null
    } finally {
      cancel()
    }
  }

  keepEnforced(license, {
    audit,
    limits,
    refusals,
    usage() {
      reading ??= read().finally(() => {
        reading = null
      })
      return reading
    },
  })
  const enforcement: Enforcement<L, D> = {
    assertWithinCap: (limit, current, delta = 1) => assertAll([{ limit, current, delta }]),
    withinCap: (limit, current, delta = 1) => verdict([{ limit, current, delta }]),
    assertWithinCaps: assertAll,
    withinCaps: verdict,
    enforce,
    assertRetention: (limit, days, name = limit) => assertSetting(limit, days, name),
    assertArtefactCount: (limit, count) => assertSetting(limit, count, null),
    limits,
  }
  return Object.assign(license, enforcement)
}
