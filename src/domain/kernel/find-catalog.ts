// Looks products and tiers up by what an admin names them with.
import { and, eq } from 'drizzle-orm'
import type { Executor } from '../../db/client.ts'
import { products, tiers } from '../../db/schema/index.ts'
import { type IdPrefix, parsePublicId } from '../../platform/ids.ts'
import { Refusal } from './context.ts'

export type ProductRow = typeof products.$inferSelect
export type TierRow = typeof tiers.$inferSelect
/** A tier with its product's code. */
export type Tier = TierRow & { product: string }

const CODE = /^[a-z0-9][a-z0-9._-]{0,63}$/

/** @throws Refusal `product_unknown`, without a query for a text that can be no code. */
export async function productByCode(db: Executor, code: string): Promise<ProductRow> {
  const [found] = CODE.test(code) ? await db.select().from(products).where(eq(products.code, code)) : []
  if (found) return found
  throw new Refusal('product_unknown', `There is no product ${code}.`, {
    facts: { product: code },
    fix: 'GET /api/v1/admin/products lists them.',
  })
}

/** @throws Refusal `not_found` when the product has no tier of this code. */
export async function tierByCode(db: Executor, product: ProductRow, code: string): Promise<TierRow> {
  const [found] = await db
    .select()
    .from(tiers)
    .where(and(eq(tiers.productId, product.id), eq(tiers.code, code)))
  if (found) return found
  throw new Refusal('not_found', `The product ${product.code} has no tier ${code}.`, {
    facts: { product: product.code, tier: code },
    fix: `GET /api/v1/admin/tiers?product=${product.code} lists them.`,
  })
}

/** The UUID of a public id; @throws Refusal `not_found` for a text that is none of that kind. */
export function uuidOf(prefix: IdPrefix, text: string, what: string): string {
  return parsePublicId(prefix, text) ?? notFound(what)
}

export function notFound(what: string): never {
  throw new Refusal('not_found', `There is no such ${what}.`)
}
