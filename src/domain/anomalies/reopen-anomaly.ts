// Opens a resolved anomaly again: it was resolved by mistake, or too early.
import { and, eq, isNotNull, isNull } from 'drizzle-orm'
import type { Database } from '../../db/client.ts'
import { violates } from '../../db/errors.ts'
import { anomalies, instances } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { publicId } from '../../platform/ids.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { type AnomalyView, isOfInstance, viewAnomaly } from './list-anomalies.ts'

/**
 * Its count and first sighting stay, and its note unless another is given. One that is open stays as it is.
 * @throws Refusal `not_found`; `conflict` while another of its type is open for the instance.
 */
export async function reopenAnomaly(
  ctx: Ctx,
  id: string,
  { note }: { note?: string | undefined },
): Promise<AnomalyView> {
  requireRole(ctx, 'support')
  const uuid = uuidOf('ano', id, 'anomaly')
  const work = transaction(ctx.db, async (tx) => {
    const [reopened] = await tx
      .update(anomalies)
      .set({ resolvedAt: null, resolvedBy: null, ...(note === undefined ? {} : { note }) })
      .where(and(eq(anomalies.id, uuid), isNotNull(anomalies.resolvedAt)))
      .returning({ type: anomalies.type })
    const view = await viewAnomaly(tx, uuid)
    if (!reopened) return view
    // The job looks at it again, and closes it where the instance is heard.
    if (view.type === 'stale_instance') {
      await tx.update(instances).set({ silent: true }).where(eq(instances.instanceKey, view.instanceKey))
    }
    await recordChange(tx, ctx, {
      action: 'anomaly.reopen',
      subject: id,
      event: view.relayName === null ? 'instance.changed' : 'relay.changed',
      details: { type: view.type, instance_id: view.instanceId, ...(note === undefined ? {} : { note }) },
      scope: {
        productId: view.productId,
        ...(isOfInstance(view) ? { instanceKey: view.instanceKey } : {}),
      },
    })
    return view
  })
  return work.catch(async (error: unknown) => {
    throw violates(error, 'anomalies_one_open') ? await anotherIsOpen(ctx.db, uuid) : error
  })
}

async function anotherIsOpen(db: Database, uuid: string): Promise<Refusal> {
  const { type, instanceKey } = await viewAnomaly(db, uuid)
  const [open] = await db
    .select({ id: anomalies.id })
    .from(anomalies)
    .where(
      and(eq(anomalies.instanceKey, instanceKey), eq(anomalies.type, type), isNull(anomalies.resolvedAt)),
    )
  return new Refusal('conflict', `Another ${type} of this instance is open.`, {
    facts: { reason: 'anomaly_open', ...(open ? { open: publicId('ano', open.id) } : {}) },
    fix: 'Work on the open one: it counts each sighting since this one was resolved.',
  })
}
