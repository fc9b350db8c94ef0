// Asks for a sync when somebody meets a license that is not fresh (reference, section 3). How often is the engine's part.
import type { FreshnessTimes } from '../states.ts'
import type { KnownLicenses } from './licenses.ts'

/** `meet` is called with each request, and with each look at the licenses. */
export function askWhenStale(port: {
  known(): KnownLicenses
  times: FreshnessTimes
  /** Unix milliseconds. */
  now(): number
  ask(): void
}): () => void {
  return () => {
    if (isDue(port.known(), port.times, port.now())) port.ask()
  }
}

/** Stale or failed; or a license has ended that was not over yet when the vendor told of it. */
function isDue({ licenses, syncedAt }: KnownLicenses, { cacheTtl }: FreshnessTimes, now: number): boolean {
  if (now - syncedAt >= cacheTtl) return true
  return licenses.some(({ expires_at }) => {
    const endsAt = expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(expires_at)
    return endsAt < now && endsAt >= syncedAt
  })
}
