// Which of several licenses speaks for an instance that holds seats of them (T9).
import type { Ctx } from '../kernel/context.ts'
import { findLicense, type LicenseFacts } from './license-facts.ts'
import { type Standing, standingOf } from './license-standing.ts'

export interface LicenseStanding {
  license: LicenseFacts
  standing: Standing
}

/** Of the licenses, highest tier first: the first in force, else the first; null when there is none. */
export async function bestStanding(ctx: Ctx, licenseIds: readonly string[]): Promise<LicenseStanding | null> {
  let fallback: LicenseStanding | null = null
  for (const id of licenseIds) {
    const license = await findLicense(ctx.db, id)
    if (!license) continue
    const found = { license, standing: standingOf(license, ctx.settings.tokenLife, ctx.clock.now()) }
    if (found.standing.inForce) return found
    fallback ??= found
  }
  return fallback
}
