// The license's metrics, in the vendor's own prom-client registry. Brings no prom-client: a registry takes whatever has a
// name and can be asked for its values.
import { LICENSE_STATES } from '../../license/states.ts'
import { DAY } from '../../license/times.ts'
import { enforcedOf } from '../enforce/inside.ts'
import type { EnforcedLicense } from '../enforce/limits.ts'
import { standingOf } from '../enforce/standing.ts'
import type { LicenseService } from './service.ts'

export interface LicenseMetricsOptions {
  /** prom-client's `register`, or a `Registry` of your own. */
  registry: { registerMetric(metric: never): void }
  /** Goes before each name, as `cameleer_` does. Default none. */
  prefix?: string
  /** Tells when the installed license was last validated. Default: −1 is shown. */
  service?: Pick<LicenseService, 'lastValidatedAge'>
}

interface Value {
  value: number
  labels: Record<string, string>
}

/**
 * `license_state{state}`, `license_days_remaining` and `license_last_validated_age_seconds` (−1 if none),
 * `license_limit_utilisation{limit}`, `license_cap_rejections_total{limit}`. Read at each scrape.
 * @throws TypeError for a prefix that no metric may have; prom-client throws for a name that is taken
 */
export function licenseMetrics<F extends string, L extends string, D>(
  license: EnforcedLicense<F, L, D>,
  { registry, prefix = '', service }: LicenseMetricsOptions,
): void {
  if (!/^([a-zA-Z_:][a-zA-Z0-9_:]*)?$/.test(prefix)) throw new TypeError(`${prefix} is no prefix of a metric`)
  const inside = enforcedOf(license)
  const state = () => inside.driver.state()

  function register(
    name: string,
    help: string,
    type: 'gauge' | 'counter',
    read: () => readonly Value[] | Promise<readonly Value[]>,
  ): void {
    const facts = { name: prefix + name, help, type, aggregator: type === 'counter' ? 'sum' : 'max' }
    const metric = { ...facts, get: async () => ({ ...facts, values: await read() }), reset() {} }
    registry.registerMetric(metric as never)
  }

  register('license_state', 'The state of the license: 1 for the one it is in', 'gauge', () => {
    inside.driver.dispatch({ type: 'tick' })
    const now = state().view.state
    return LICENSE_STATES.map((name) => ({ value: name === now ? 1 : 0, labels: { state: name } }))
  })
  register(
    'license_days_remaining',
    'Whole days to the end of the license; -1 if there is none',
    'gauge',
    () => {
      const { term, now } = standingOf(state())
      // Past its end it counts on below zero, and -1 would be said of one that ended yesterday: that one has 0 days.
      const days = term === null || term.exp === null ? -1 : Math.max(0, Math.trunc((term.exp - now) / DAY))
      return [{ value: days, labels: {} }]
    },
  )
  const age = 'Seconds since the installed license was last validated; -1 if none is'
  register('license_last_validated_age_seconds', age, 'gauge', () => [
    { value: service?.lastValidatedAge() ?? -1, labels: {} },
  ])
  register('license_limit_utilisation', 'Usage of a limit as a share of its cap', 'gauge', async () => {
    const usage = await inside.usage()
    if (usage === null) return []
    return Object.entries(inside.limits()).flatMap(([limit, { cap }]) => {
      const used = usage[limit]
      return used === undefined ? [] : [{ value: share(used, cap), labels: { limit } }]
    })
  })
  register('license_cap_rejections_total', 'Refusals of a limit since the start', 'counter', () =>
    Object.keys(inside.limits()).map((limit) => ({
      value: inside.refusals.get(limit) ?? 0,
      labels: { limit },
    })),
  )
}

/** Of nothing, nothing is a share of 0, and anything is more than all. */
function share(used: number, cap: number): number {
  if (cap === Number.POSITIVE_INFINITY || used === 0) return 0
  return used / cap
}
