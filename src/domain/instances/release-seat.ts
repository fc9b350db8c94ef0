// Ends the seat that an instance holds of a license. Its sessions need a new proof of license from then on (T8, T10).
import { and, eq, isNull } from 'drizzle-orm'
import { activations } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { publicId } from '../../platform/ids.ts'
import { recordChange } from '../audit/record-change.ts'
import { notFound, uuidOf } from '../catalog/find-catalog.ts'
import { type Ctx, requireRole } from '../context.ts'
import { holdLicense } from '../licenses/hold-license.ts'
import { type InstanceView, viewInstance } from './instance-view.ts'

/** A seat that has ended stays as it is. @throws Refusal `not_found` for an instance that never held one. */
export async function releaseSeat(ctx: Ctx, id: string, license: string): Promise<InstanceView> {
  requireRole(ctx, 'operator')
  const key = uuidOf('ins', id, 'instance')
  const licenseId = uuidOf('lic', license, 'license')
  const pair = and(eq(activations.instanceKey, key), eq(activations.licenseId, licenseId))
  const now = ctx.clock.now()
  return transaction(ctx.db, async (tx) => {
    await holdLicense(tx, licenseId, 'no key update')
    const [ended] = await tx
      .update(activations)
      .set({ endedAt: now, endedBy: 'admin' })
      .where(and(pair, isNull(activations.endedAt)))
      .returning({ id: activations.id })
    const view = await viewInstance(tx, key, now)
    if (!ended) {
      const known = await tx.select({ id: activations.id }).from(activations).where(pair)
      return known.length === 0 ? notFound('seat') : view
    }
    await recordChange(tx, ctx, {
      action: 'seat.release',
      subject: publicId('act', ended.id),
      event: 'instance.changed',
      details: { instance: id, license_id: license, instance_id: view.instanceId },
      scope: { productId: view.productId, licenseId, instanceKey: key },
    })
    return view
  })
}
