// Orders an instance to stop or to step down, or clears that. It is delivered until cleared (T3, T11).
import { and, eq, sql } from 'drizzle-orm'
import type { ActionOrder } from '../../contract/admin-instances.schema.ts'
import { instances } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { spendBudget } from '../kernel/spend-budget.ts'
import { actionDue, keptReason } from './action-due.ts'
import { type InstanceView, viewInstance } from './instance-view.ts'

/**
 * The number rises past every one that a client may remember, through a restore of the database too (T12). The
 * action that is already set changes nothing, unless it is given another reason, which takes
 * nothing more. @throws Refusal `not_found`, `action_budget_exceeded`
 */
export async function setAction(ctx: Ctx, id: string, order: ActionOrder): Promise<InstanceView> {
  requireRole(ctx, 'operator')
  const { action, reason } = order
  const key = uuidOf('ins', id, 'instance')
  const now = ctx.clock.now()
  return transaction(ctx.db, async (tx) => {
    const [before] = await tx
      .select({ action: instances.action })
      .from(instances)
      .where(eq(instances.instanceKey, key))
      .for('no key update')
    const [changed] = await tx
      .update(instances)
      .set({
        action,
        actionReason: keptReason(order),
        actionSeq: sql`greatest(${instances.actionSeq} + 1, ${now.getTime()}::bigint)`,
        actionSetAt: now,
        actionDeliveredAt: null,
        actionAcknowledgedAt: null,
      })
      .where(and(eq(instances.instanceKey, key), actionDue(order)))
      .returning({
        productId: instances.productId,
        instanceId: instances.instanceId,
        seq: instances.actionSeq,
      })
    const view = await viewInstance(tx, key, now)
    if (!changed) return view
    if (action !== 'none' && before?.action !== action) await spendBudget(tx, ctx, 1)
    await recordChange(tx, ctx, {
      action: 'instance.action',
      subject: id,
      event: 'action.changed',
      reason,
      details: { action, seq: changed.seq, product: view.productCode, instance_id: changed.instanceId },
      scope: { productId: changed.productId, instanceKey: key },
    })
    return view
  })
}
