// Closes an anomaly. It says nothing about the next sighting, which opens a new one.
import { and, eq, isNull } from 'drizzle-orm'
import { anomalies } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { type AnomalyView, isOfInstance, viewAnomaly } from './list-anomalies.ts'

/** One that is resolved stays as it is; a note is added where it has none. @throws Refusal `not_found` */
export async function resolveAnomaly(
  ctx: Ctx,
  id: string,
  { note }: { note?: string | undefined },
): Promise<AnomalyView> {
  requireRole(ctx, 'support')
  const uuid = uuidOf('ano', id, 'anomaly')
  return transaction(ctx.db, async (tx) => {
    const [resolved] = await tx
      .update(anomalies)
      .set({ resolvedAt: ctx.clock.now(), resolvedBy: ctx.actor.id, note: note ?? null })
      .where(and(eq(anomalies.id, uuid), isNull(anomalies.resolvedAt)))
      .returning({ type: anomalies.type })
    const [noted] =
      resolved || note === undefined
        ? []
        : await tx
            .update(anomalies)
            .set({ note })
            .where(and(eq(anomalies.id, uuid), isNull(anomalies.note)))
            .returning({ type: anomalies.type })
    const view = await viewAnomaly(tx, uuid)
    if (!resolved && !noted) return view
    await recordChange(tx, ctx, {
      action: resolved ? 'anomaly.resolve' : 'anomaly.note',
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
}
