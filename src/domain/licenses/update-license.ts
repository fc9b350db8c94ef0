// The one conditional UPDATE through which a license changes, with its version and its change record.
import { and, eq, ne, type SQL, sql } from 'drizzle-orm'
import type { PgUpdateSetSource } from 'drizzle-orm/pg-core'
import { licenses } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { spendBudget } from '../action-budget/spend-budget.ts'
import { recordChange } from '../audit/record-change.ts'
import { uuidOf } from '../catalog/find-catalog.ts'
import { type Ctx, Refusal } from '../context.ts'
import { type LicenseView, viewLicense } from './license-view.ts'

export interface LicenseUpdate {
  /** `license.suspend`, … */
  action: string
  set: PgUpdateSetSource<typeof licenses>
  /** Beside not being revoked: what must hold for the update to be due. */
  when: SQL | undefined
  reason?: string | undefined
  details?: Record<string, unknown>
  /** Whether it takes the license away, and so counts against the action budget. */
  takes?: true
  /** Nothing was due: throws unless the license is already as it was asked for. */
  refuse?: (license: LicenseView) => void
}

/**
 * Nothing is written down when nothing is due, so repeating a change changes nothing. Revoked is final.
 * @throws Refusal `not_found`, `conflict`, `action_budget_exceeded`
 */
export async function updateLicense(ctx: Ctx, publicId: string, update: LicenseUpdate): Promise<LicenseView> {
  const id = uuidOf('lic', publicId, 'license')
  const now = ctx.clock.now()
  return transaction(ctx.db, async (tx) => {
    const [changed] = await tx
      .update(licenses)
      .set({ ...update.set, version: sql`${licenses.version} + 1`, updatedAt: now })
      .where(and(eq(licenses.id, id), ne(licenses.status, 'revoked'), update.when))
      .returning({ productId: licenses.productId, version: licenses.version })
    const license = await viewLicense(tx, id, now)
    if (!changed) {
      if (license.status === 'revoked') refuseRevoked(license, update.action)
      update.refuse?.(license)
      return license
    }
    if (update.takes) await spendBudget(tx, ctx, 1)
    await recordChange(tx, ctx, {
      action: update.action,
      subject: publicId,
      event: 'license.changed',
      reason: update.reason,
      details: { ...update.details, version: changed.version },
      scope: { productId: changed.productId, licenseId: id },
    })
    return license
  })
}

/** @throws Refusal `conflict` for a change of a license that was revoked, but for revoking it again. */
export function refuseRevoked(license: LicenseView, action: string): void {
  if (action === 'license.revoke') return
  throw new Refusal('conflict', 'The license was revoked, and that is final.', {
    facts: { reason: 'license_revoked', status: 'revoked', version: license.version },
    fix: 'Issue a new license to the customer.',
  })
}

/** @throws Refusal `conflict` when the license is past the version that a change was made for. */
export function refuseVersion(license: LicenseView, expected: number | undefined): void {
  if (expected === undefined || license.version === expected) return
  throw new Refusal('conflict', `The license is at version ${license.version}, not at ${expected}.`, {
    facts: { reason: 'version_conflict', version: license.version, expected_version: expected },
    fix: 'Read the license again and decide anew.',
  })
}
