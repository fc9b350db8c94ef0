// Replaces a license key: a new one of the same license, while the old one keeps its seats and takes no more (T10).
import { and, eq, isNull } from 'drizzle-orm'
import type { LicenseKeyRotation } from '../../contract/admin-credentials.schema.ts'
import { licenseKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { publicId } from '../../platform/ids.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { holdLicense } from '../rights/hold-license.ts'
import { findLicense } from '../rights/license-facts.ts'
import { insertDistinct, type LicenseKeyRow, refuseUnissuable } from './issue-license-key.ts'

/**
 * Validate, refresh and heartbeat of the instances that hold a seat go on with the old key; a new seat is refused
 * `license_key_retired`. One minted offline holds where the server is not asked: nobody can call it back.
 * @throws Refusal `not_found`; `conflict` for a key that is retired or revoked already.
 */
export async function rotateLicenseKey(
  ctx: Ctx,
  id: string,
  order: LicenseKeyRotation,
): Promise<{ row: LicenseKeyRow; secret: string }> {
  requireRole(ctx, 'operator')
  const now = ctx.clock.now()
  const oldId = uuidOf('lk', id, 'license key')
  const [known] = await ctx.db.select().from(licenseKeys).where(eq(licenseKeys.id, oldId))
  if (!known) return notFound('license key')
  const { licenseId, offline } = known
  const keyring = await ctx.keyring.current((await findLicense(ctx.db, licenseId))?.productCode)
  return transaction(ctx.db, async (tx) => {
    // Alone, so that no seat is taken with the old key meanwhile.
    const license = await holdLicense(tx, licenseId, 'no key update')
    refuseUnissuable(license, offline, now)
    const input = { license_id: publicId('lic', licenseId), name: order.name ?? known.name, offline }
    const issued = await insertDistinct(tx, ctx, { keyring, license, input, now })
    const [retired] = await tx
      .update(licenseKeys)
      .set({ retiredAt: now, replacedBy: issued.row.id })
      .where(and(eq(licenseKeys.id, oldId), isNull(licenseKeys.retiredAt), isNull(licenseKeys.revokedAt)))
      .returning({ id: licenseKeys.id })
    if (!retired) {
      const [current = known] = await tx.select().from(licenseKeys).where(eq(licenseKeys.id, oldId))
      throw notReplaceable(current)
    }
    await recordChange(tx, ctx, {
      action: 'license_key.rotate',
      subject: id,
      event: 'license.changed',
      reason: order.reason,
      details: {
        license_id: input.license_id,
        replaced_by: publicId('lk', issued.row.id),
        prefix: issued.row.prefix,
        offline,
      },
      scope: { productId: license.productId, licenseId },
    })
    return issued
  })
}

function notReplaceable({ revokedAt, replacedBy }: LicenseKeyRow): Refusal {
  if (revokedAt !== null) {
    return new Refusal('conflict', 'The license key was revoked: there is nothing to hand over.', {
      facts: { reason: 'license_key_revoked' },
      fix: 'POST /api/v1/admin/license-keys issues another key of the license.',
    })
  }
  return new Refusal('conflict', 'The license key was replaced already.', {
    facts: {
      reason: 'license_key_retired',
      ...(replacedBy === null ? {} : { replaced_by: publicId('lk', replacedBy) }),
    },
    fix: 'Rotate the key that replaced it.',
  })
}
