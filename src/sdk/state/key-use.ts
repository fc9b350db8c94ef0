// The license key that is held, and what is remembered of its use: first use and last confirmation (T6).
import type { LicenseKeyUse } from '../../license/lease.ts'
import { licenseKeyGrant } from '../grants/grant.ts'
import { floorNow, now } from '../time/clock.ts'
import { type Turn, type update, updateKept } from './turn.ts'

/** Puts the use beside the key; the grant that it comes to changes with it. */
export function useKey(turn: Turn, use: LicenseKeyUse, put: typeof update = updateKept): void {
  const { licenseKey, slots, config } = turn.state
  if (!licenseKey) return
  const { token, kid, payload } = licenseKey
  put(turn, {
    licenseKey: { ...licenseKey, use },
    slots: { ...slots, licenseKey: licenseKeyGrant(token, kid, payload, use, config.tiers) },
  })
}

/** A use that was noted while the clock was ahead counts from now: the future does not prolong it (T7). */
export function datesNotAhead(turn: Turn): void {
  const { licenseKey, time } = turn.state
  if (!licenseKey) return
  const latest = Math.floor(Math.max(now(time), floorNow(time)) / 1000)
  const { firstUsedAt, confirmedAt } = licenseKey.use
  if (firstUsedAt <= latest && (confirmedAt ?? 0) <= latest) return
  useKey(turn, {
    ...licenseKey.use,
    firstUsedAt: Math.min(firstUsedAt, latest),
    confirmedAt: confirmedAt === null ? null : Math.min(confirmedAt, latest),
  })
}
