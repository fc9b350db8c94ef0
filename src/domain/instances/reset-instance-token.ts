// Forgets who an instance is, so that the next proof of a license gets a new instance token (T9).
import { and, eq, isNotNull, ne, or } from 'drizzle-orm'
import { instances } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { type InstanceView, viewInstance } from './instance-view.ts'

/** The token in use is refused from now on. Seats and action stay. @throws Refusal `not_found` */
export async function resetInstanceToken(ctx: Ctx, id: string): Promise<InstanceView> {
  requireRole(ctx, 'operator')
  const key = uuidOf('ins', id, 'instance')
  const now = ctx.clock.now()
  return transaction(ctx.db, async (tx) => {
    const [reset] = await tx
      .update(instances)
      .set({ tokenHash: null, tokenPresentedAt: null, provenLicenseId: null, proof: 'none' })
      .where(
        and(
          eq(instances.instanceKey, key),
          or(
            isNotNull(instances.tokenHash),
            isNotNull(instances.provenLicenseId),
            ne(instances.proof, 'none'),
          ),
        ),
      )
      .returning({ productId: instances.productId, instanceId: instances.instanceId })
    const view = await viewInstance(tx, key, now)
    if (!reset) return view
    await recordChange(tx, ctx, {
      action: 'instance.reset_token',
      subject: id,
      event: 'instance.changed',
      details: { product: view.productCode, instance_id: reset.instanceId },
      scope: { productId: reset.productId, instanceKey: key },
    })
    return view
  })
}
