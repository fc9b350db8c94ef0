// How many processes serve, and what each gets of the bounds that the settings set for the whole server.
import { availableParallelism } from 'node:os'
import type { RateLimit } from '../config/durations.ts'
import type { Settings } from '../config/settings.ts'

/** Each process has connections beside its pool: more processes would pass PostgreSQL's default of 100. */
const MOST_AUTOMATIC = 12
/** One to probe with, and one to listen on. */
const BESIDE_THE_POOL = 2
/** Of the process that holds the others together: enough for one job at a time, its lease, and the clock. */
export const POOL_BESIDE_WORKERS = 3
/** Two for batches, two for what waits for a lock, one for newcomers: with fewer, those that wait would hold up all. */
const LEAST_CONNECTIONS = 5

/** The processes that serve. `auto` is one for each core. */
export function processCount({ processes }: Pick<Settings, 'processes'>): number {
  return processes === 'auto' ? Math.min(availableParallelism(), MOST_AUTOMATIC) : processes
}

/** The settings of one of so many processes: connections and rates divided, rounded up. */
export function shareOf<T extends Pick<Settings, 'poolSize' | 'rateLimit' | 'credentialRateLimit'>>(
  settings: T,
  processes: number,
): T {
  const { poolSize, rateLimit, credentialRateLimit } = settings
  return {
    ...settings,
    poolSize: Math.max(Math.min(LEAST_CONNECTIONS, poolSize), Math.ceil(poolSize / processes)),
    rateLimit: part(rateLimit, processes),
    credentialRateLimit: part(credentialRateLimit, processes),
  }
}

/** Connections to the database of a whole server, those beside the pools included. */
export function connectionsOf(settings: Settings): number {
  const processes = processCount(settings)
  if (processes === 1) return settings.poolSize + BESIDE_THE_POOL
  const each = shareOf(settings, processes).poolSize + BESIDE_THE_POOL
  return processes * each + POOL_BESIDE_WORKERS + 1
}

const part = (limit: RateLimit | null, processes: number): RateLimit | null =>
  limit && { perMinute: Math.ceil(limit.perMinute / processes) }
