// The limits that a product has without a license: how a vendor writes them down, and the preset of the reference.
import { UNLIMITED } from '../contract/catalog.ts'
import { LIMIT_NAME } from './members.ts'

/** Limits by name, as the product reads them: whole numbers from 0, or `Infinity` for unlimited. */
export type Caps<K extends string = string> = Readonly<Record<K, number>>

/**
 * The default tier of a product. Its names are the type, so that a misspelt one does not compile. `limits` are whole
 * numbers from 0; −1 and `Infinity` are unlimited. Throws a TypeError for any other number, and for a name that no
 * license can carry.
 */
export function defineLimits<const K extends string>(limits: Readonly<Record<K, number>>): Caps<K> {
  const caps: Record<string, number> = {}
  for (const [name, limit] of Object.entries<number>(limits)) {
    if (!LIMIT_NAME.test(name)) throw new TypeError(`${name} is no name of a limit`)
    caps[name] = limit === UNLIMITED ? Number.POSITIVE_INFINITY : limit
    const isCap = caps[name] === Number.POSITIVE_INFINITY || (Number.isSafeInteger(limit) && limit >= 0)
    if (!isCap) throw new TypeError(`${name}: ${limit} is neither a whole number from 0 nor −1 for unlimited`)
  }
  return Object.freeze(caps)
}

/** The default tier of Cameleer (reference, section 4). */
export const cameleerLimits = defineLimits({
  max_environments: 1,
  max_apps: 3,
  max_agents: 5,
  max_users: 3,
  max_outbound_connections: 1,
  max_alert_rules: 2,
  max_total_cpu_millis: 2000,
  max_total_memory_mb: 2048,
  max_total_replicas: 5,
  max_execution_retention_days: 1,
  max_log_retention_days: 1,
  max_metric_retention_days: 1,
  max_jar_retention_count: 3,
})
