// Moves the end of a license on. Making it shorter, or perpetual, is a change of its terms.
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { Renewal } from '../../contract/admin-licenses.schema.ts'
import { licenses } from '../../db/schema/index.ts'
import { parseRfc3339, rfc3339 } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import type { LicenseView } from './license-view.ts'
import { refuseVersion, updateLicense } from './update-license.ts'

/** As in the contract: leaves room for a grace period before the last year that RFC 3339 can write. */
const LATEST = '9900-01-01T00:00:00Z'

/**
 * To a date, or by days from the end that it has (from now where that has passed). Renewing to the same date again
 * changes nothing. @throws Refusal `not_found`, `conflict`
 */
export async function renewLicense(ctx: Ctx, id: string, renewal: Renewal): Promise<LicenseView> {
  requireRole(ctx, 'operator')
  const until = newEnd(ctx, renewal)
  return updateLicense(ctx, id, {
    action: 'license.renew',
    set: { expiresAt: until },
    when: and(
      sql`${licenses.expiresAt} < ${until}`,
      sql`${until} <= ${LATEST}::timestamptz`,
      renewal.version === undefined ? undefined : eq(licenses.version, renewal.version),
    ),
    reason: renewal.reason,
    details: { expires_at: renewal.expires_at, extend_days: renewal.extend_days },
    refuse: (license) => refuse(license, renewal),
  })
}

function newEnd(ctx: Ctx, { expires_at: to, extend_days: days = 0 }: Renewal): SQL {
  if (to !== undefined) return sql`${parseRfc3339(to).toISOString()}::timestamptz`
  const now = sql`${ctx.clock.now().toISOString()}::timestamptz`
  return sql`greatest(${licenses.expiresAt}, ${now}) + ${days}::int * interval '86400 seconds'`
}

function refuse(license: LicenseView, renewal: Renewal): void {
  refuseVersion(license, renewal.version)
  const { expiresAt } = license
  if (expiresAt === null) {
    throw new Refusal('conflict', 'The license is perpetual: it has no end to move.', {
      facts: { reason: 'perpetual' },
      fix: 'PATCH the license with an expires_at to give it an end.',
    })
  }
  const current = rfc3339(expiresAt)
  if (renewal.extend_days !== undefined) {
    throw new Refusal('conflict', 'The new end would lie too far in the future.', {
      facts: { reason: 'too_far', expires_at: current, latest: LATEST },
      fix: 'PATCH the license with expires_at null to make it perpetual.',
    })
  }
  if (renewal.expires_at !== undefined && parseRfc3339(renewal.expires_at).getTime() === expiresAt.getTime())
    return
  throw new Refusal('conflict', `The license already runs until ${current}.`, {
    facts: { reason: 'not_later', expires_at: current },
    fix: 'Name a later date, or PATCH the license with an earlier expires_at.',
  })
}
