// Changes a product's name and settings. Its code stays: tokens, sealed keys and instance keys are bound to it.
import { eq } from 'drizzle-orm'
import type { ProductChange } from '../../contract/admin-catalog.schema.ts'
import { products } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { notFound, type ProductRow, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'

/** Members that are absent stay as they are. @throws Refusal `not_found` */
export async function changeProduct(ctx: Ctx, id: string, change: ProductChange): Promise<ProductRow> {
  requireRole(ctx, 'owner')
  const productId = uuidOf('prd', id, 'product')
  return transaction(ctx.db, async (tx) => {
    const [changed] = await tx
      .update(products)
      .set({
        name: change.name,
        instanceAuth: change.instance_auth,
        limitsClaim: change.limits_claim,
        metricMap: change.metric_map,
        updatedAt: ctx.clock.now(),
      })
      .where(eq(products.id, productId))
      .returning()
    if (!changed) return notFound('product')
    await recordChange(tx, ctx, {
      action: 'product.change',
      subject: id,
      event: 'catalog.changed',
      details: change,
      scope: { productId },
    })
    return changed
  })
}
