// The one conditional UPDATE through which a license changes, with its version and its change record.
import { and, eq, ne, type SQL, sql } from 'drizzle-orm'
import type { PgUpdateSetSource } from 'drizzle-orm/pg-core'
import type { Transaction } from '../../db/client.ts'
import { licenses } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { spendBudget } from '../kernel/spend-budget.ts'
import { holdLicense } from '../rights/hold-license.ts'
import { findLicense, type LicenseFacts } from '../rights/license-facts.ts'
import { type LicenseView, viewLicense } from './license-view.ts'

export interface LicenseUpdate {
  /** `license.suspend`, … */
  action: string
  set: PgUpdateSetSource<typeof licenses>
  /** Beside not being revoked: what must hold for the update to be due. */
  when: SQL | undefined
  reason?: string | undefined
  details?: Record<string, unknown>
  /** Whether it takes from the customer, and so counts against the action budget. */
  takes?: true | ((before: LicenseFacts, after: LicenseFacts) => boolean)
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
  const { takes } = update
  return transaction(ctx.db, async (tx) => {
    const before = typeof takes === 'function' ? await holdLicense(tx, id, 'no key update') : null
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
    if (await isTaken(tx, id, takes, before)) await spendBudget(tx, ctx, 1)
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

/** `before` was read under the lock that the update holds. */
async function isTaken(
  tx: Transaction,
  id: string,
  takes: LicenseUpdate['takes'],
  before: LicenseFacts | null,
): Promise<boolean> {
  if (before === null || typeof takes !== 'function') return takes === true
  const after = await findLicense(tx, id)
  return after !== null && takes(before, after)
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
