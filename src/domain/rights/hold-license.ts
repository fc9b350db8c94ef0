// Holds a license's row while something is issued under it, and says whether anything may be.
import { eq } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { licenses } from '../../db/schema/index.ts'
import { rfc3339 } from '../../platform/time.ts'
import { Refusal } from '../kernel/context.ts'
import { notFound } from '../kernel/find-catalog.ts'
import { findLicense, type LicenseFacts } from './license-facts.ts'
import { type Standing, standingOf } from './license-standing.ts'

/**
 * The license, which cannot be suspended, revoked or renewed until the transaction ends. Who counts, takes or ends its
 * seats holds it alone (`no key update`). @throws Refusal `not_found`
 */
export async function holdLicense(
  tx: Transaction,
  id: string,
  strength: 'share' | 'no key update' = 'share',
): Promise<LicenseFacts> {
  await tx.select({ id: licenses.id }).from(licenses).where(eq(licenses.id, id)).for(strength)
  return (await findLicense(tx, id)) ?? notFound('license')
}

/**
 * The standing of a license under which something is issued for `life` seconds.
 * @throws Refusal `conflict` while it is suspended, revoked or past its grace.
 */
export function standingToIssue(
  license: LicenseFacts,
  life: number,
  now: Date,
): Extract<Standing, { inForce: true }> {
  const standing = standingOf(license, life, now)
  if (standing.inForce) return standing
  const { reason, status } = standing
  throw new Refusal('conflict', `The license is ${status}: nothing is issued under it.`, {
    facts: { reason, ...(license.expiresAt ? { expires_at: rfc3339(license.expiresAt) } : {}) },
    fix: FIX[reason],
  })
}

const FIX = {
  license_suspended: 'Reinstate the license first.',
  license_revoked: 'Issue a new license to the customer.',
  license_expired: 'Renew the license first.',
}
