// Creates a product together with the keys that it signs with: there is no product without them.
import type { NewProduct } from '../../contract/admin-catalog.schema.ts'
import { KEY_USES } from '../../contract/claims.ts'
import { violates } from '../../db/errors.ts'
import { products } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { addSeconds, MINUTE_SECONDS } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import type { ProductRow } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { createSigningKey } from '../signing/create-keys.ts'
import { publishKeySet } from '../signing/publish-key-set.ts'
import { reloadKeyring } from '../signing/reload-keyring.ts'

/** The first keys hold from a little earlier on: a client's clock may be behind. */
const KEY_HEAD_START = -5 * MINUTE_SECONDS

/** @throws Refusal `conflict` when the code is taken. */
export async function createProduct(ctx: Ctx, input: NewProduct): Promise<ProductRow> {
  requireRole(ctx, 'owner')
  const now = ctx.clock.now()
  const values = {
    id: uuidv7(now, ctx.random),
    code: input.code,
    name: input.name,
    instanceAuth: input.instance_auth,
    limitsClaim: input.limits_claim,
    metricMap: input.metric_map,
    createdAt: now,
    updatedAt: now,
  }
  try {
    await transaction(ctx.db, async (tx) => {
      await tx.insert(products).values(values)
      for (const use of KEY_USES) {
        await createSigningKey(tx, ctx, values, use, addSeconds(now, KEY_HEAD_START))
      }
      await publishKeySet(tx, ctx)
      await recordChange(tx, ctx, {
        action: 'product.create',
        subject: publicId('prd', values.id),
        event: 'catalog.changed',
        details: input,
        scope: { productId: values.id },
      })
    })
  } catch (error) {
    if (!violates(error, 'products_code_unique')) throw error
    throw new Refusal('conflict', `There is a product ${input.code} already.`, {
      facts: { reason: 'code_taken', product: input.code },
      fix: 'Choose another code, or change the product that has it.',
    })
  }
  await reloadKeyring(ctx)
  return values
}
