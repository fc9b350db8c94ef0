// How fresh a kept license is (reference, section 3). Names for logs, metrics and pages: they never shorten a grant.

export type SyncState = 'synced' | 'stale' | 'failed' | 'expired'

export interface Freshness {
  /** Unix milliseconds of the vendor's last answer about it. */
  syncedAt: number
  /** Unix milliseconds of the license's own end; null if perpetual. */
  endsAt: number | null
}

export interface FreshnessTimes {
  /** Milliseconds (LICENSE_CACHE_TTL, STALE_GRACE_PERIOD). */
  cacheTtl: number
  staleGrace: number
}

/** `now` in unix milliseconds. A clock that stands before the last sync counts as no age at all. */
export function syncState({ syncedAt, endsAt }: Freshness, times: FreshnessTimes, now: number): SyncState {
  if (endsAt !== null && now > endsAt) return 'expired'
  const age = now - syncedAt
  if (age < times.cacheTtl) return 'synced'
  return age <= times.cacheTtl + times.staleGrace ? 'stale' : 'failed'
}

const CACHE_WORDS = { synced: 'hit', stale: 'stale', failed: 'grace', expired: 'grace' } as const

/** The header of an answer from the cache; the age is in seconds. */
export function cacheHeader(state: SyncState, syncedAt: number, now: number): string {
  return `${CACHE_WORDS[state]}; age=${Math.max(0, Math.floor((now - syncedAt) / 1000))}`
}
