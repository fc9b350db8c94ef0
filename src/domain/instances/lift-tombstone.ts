// Lets an instance whose seat an admin ended take it again by itself. Gives it no seat.
import { and, eq, isNull } from 'drizzle-orm'
import { activations } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { publicId } from '../../platform/ids.ts'
import { recordChange } from '../audit/record-change.ts'
import { notFound, uuidOf } from '../catalog/find-catalog.ts'
import { type Ctx, requireRole } from '../context.ts'
import { holdLicense } from '../licenses/hold-license.ts'
import { type InstanceView, viewInstance } from './instance-view.ts'

/**
 * Its next validate re-takes a free seat. A seat without a tombstone stays as it is.
 * @throws Refusal `not_found` for an instance that never held one.
 */
export async function liftTombstone(ctx: Ctx, id: string, license: string): Promise<InstanceView> {
  requireRole(ctx, 'operator')
  const key = uuidOf('ins', id, 'instance')
  const licenseId = uuidOf('lic', license, 'license')
  const pair = and(eq(activations.instanceKey, key), eq(activations.licenseId, licenseId))
  const now = ctx.clock.now()
  return transaction(ctx.db, async (tx) => {
    await holdLicense(tx, licenseId, 'no key update')
    const [lifted] = await tx
      .update(activations)
      .set({ tombstoneLiftedAt: now })
      .where(and(pair, eq(activations.endedBy, 'admin'), isNull(activations.tombstoneLiftedAt)))
      .returning({ id: activations.id })
    const view = await viewInstance(tx, key, now)
    if (!lifted) {
      const known = await tx.select({ id: activations.id }).from(activations).where(pair)
      return known.length === 0 ? notFound('seat') : view
    }
    await recordChange(tx, ctx, {
      action: 'seat.lift_tombstone',
      subject: publicId('act', lifted.id),
      event: 'instance.changed',
      details: { instance: id, license_id: license, instance_id: view.instanceId },
      scope: { productId: view.productId, licenseId, instanceKey: key },
    })
    return view
  })
}
