// The licenses whose lease an instance still holds, and which of them speaks for it (T9). Pure.
import type { LicenseFacts, ReferenceFacts } from '../../kernel/reference.ts'
import { type Standing, standingOf } from '../../rights/license-standing.ts'
import type { Seat } from '../../rights/take-seat.ts'

/** A lease outlives a seat that was ended. */
export interface HeldLicense {
  readonly license: LicenseFacts
  readonly seat: Seat
}

/** Those whose lease, grace included, has not run out; highest tier first. */
export function heldLicenses(facts: ReferenceFacts, seats: Iterable<Seat>, now: Date): HeldLicense[] {
  const held: HeldLicense[] = []
  for (const seat of seats) {
    if (seat.leaseEndsAt <= now) continue
    const license = facts.license(seat.licenseId)
    if (license) held.push({ license, seat })
  }
  if (held.length < 2) return held
  return held.sort(
    (a, b) => b.license.tier.rank - a.license.tier.rank || (a.license.id < b.license.id ? -1 : 1),
  )
}

/** Those whose seat was not ended either. */
export const seated = (held: readonly HeldLicense[]): HeldLicense[] =>
  held.filter(({ seat }) => seat.endedAt === null)

export interface LicenseStanding {
  license: LicenseFacts
  standing: Standing
}

/** Of the licenses, highest tier first: the first in force, else the first; null when there is none. */
export function bestStanding(
  licenses: readonly LicenseFacts[],
  tokenLife: number,
  now: Date,
): LicenseStanding | null {
  let fallback: LicenseStanding | null = null
  for (const license of licenses) {
    const found = { license, standing: standingOf(license, tokenLife, now) }
    if (found.standing.inForce) return found
    fallback ??= found
  }
  return fallback
}
