// How old what is known of a license is, and who asks for a sync when somebody meets one that is not fresh (reference,
// section 3). How often is the engine's part.
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

/** Unix milliseconds of what the vendor last said of a license; 0 where it said nothing that is known. */
export type LicenseSyncedAt = (licenseId: string) => number

/** One age for header, metrics and page: of the list that named the license, or of a later grant of it. */
export const licenseSyncedAt =
  (known: () => KnownLicenses, grants: { answeredAt: LicenseSyncedAt }): LicenseSyncedAt =>
  (licenseId) => {
    const { licenses, syncedAt } = known()
    const isListed = licenses.some(({ license_id }) => license_id === licenseId)
    return Math.max(isListed ? syncedAt : 0, grants.answeredAt(licenseId))
  }

/** Stale or failed; or a license has ended that was not over yet when the vendor told of it. */
function isDue({ licenses, syncedAt }: KnownLicenses, { cacheTtl }: FreshnessTimes, now: number): boolean {
  if (now - syncedAt >= cacheTtl) return true
  return licenses.some(({ expires_at }) => {
    const endsAt = expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(expires_at)
    return endsAt < now && endsAt >= syncedAt
  })
}
