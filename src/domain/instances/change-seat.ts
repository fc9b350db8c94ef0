// The one conditional UPDATE through which an admin changes the seat that an instance holds, or held, of a license.
import { and, eq, type SQL } from 'drizzle-orm'
import { activations } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { publicId } from '../../platform/ids.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { spendBudget } from '../kernel/spend-budget.ts'
import { holdLicense } from '../rights/hold-license.ts'
import { seatsEnded } from '../rights/seat-bounds.ts'
import { type InstanceView, viewInstance } from './instance-view.ts'

export interface SeatChange {
  /** `seat.release`, … */
  action: string
  set: Partial<Pick<typeof activations.$inferInsert, 'endedAt' | 'endedBy' | 'tombstoneLiftedAt'>>
  /** What must hold for the change to be due. */
  when: SQL | undefined
  /** Whether it takes the seat, and so counts against the action budget while a lease runs on it. */
  takes?: true
}

/**
 * Nothing is written down when nothing is due. @throws Refusal `not_found` for an instance that never held a seat of
 * the license; `action_budget_exceeded`
 */
export async function changeSeat(
  ctx: Ctx,
  id: string,
  license: string,
  change: SeatChange,
): Promise<InstanceView> {
  requireRole(ctx, 'operator')
  const key = uuidOf('ins', id, 'instance')
  const licenseId = uuidOf('lic', license, 'license')
  const pair = and(eq(activations.instanceKey, key), eq(activations.licenseId, licenseId))
  const now = ctx.clock.now()
  return transaction(ctx.db, async (tx) => {
    await holdLicense(tx, licenseId, 'no key update')
    const [changed] = await tx
      .update(activations)
      .set(change.set)
      .where(and(pair, change.when))
      .returning({ id: activations.id, leaseEndsAt: activations.leaseEndsAt })
    const view = await viewInstance(tx, key, now)
    if (!changed) {
      const known = await tx.select({ id: activations.id }).from(activations).where(pair)
      return known.length === 0 ? notFound('seat') : view
    }
    const wasLive = change.takes && changed.leaseEndsAt > now
    if (wasLive) {
      await seatsEnded(tx, licenseId, 1)
      await spendBudget(tx, ctx, 1)
    }
    await recordChange(tx, ctx, {
      action: change.action,
      subject: publicId('act', changed.id),
      event: 'instance.changed',
      details: { instance: id, license_id: license, instance_id: view.instanceId },
      scope: { productId: view.productId, licenseId, instanceKey: key },
    })
    return view
  })
}
