// Reads the catalog for an admin: one product or tier, or pages of them.
import { and, desc, eq, getTableColumns, lt } from 'drizzle-orm'
import { products, tiers } from '../../db/schema/index.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { notFound, type ProductRow, productByCode, type Tier, uuidOf } from '../kernel/find-catalog.ts'
import { decodeCursor, type Page, type PageRequest, pageOf, UUID_PART } from '../kernel/paging.ts'

const tierColumns = { ...getTableColumns(tiers), product: products.code }

/** Products, newest first. */
export async function listProducts(ctx: Ctx, page: PageRequest): Promise<Page<ProductRow>> {
  requireRole(ctx, 'auditor')
  const found = await ctx.db
    .select()
    .from(products)
    .where(page.after === undefined ? undefined : lt(products.id, positionOf(page.after)))
    .orderBy(desc(products.id))
    .limit(page.limit + 1)
  return pageOf(found, page.limit, (row) => [row.id])
}

/** @throws Refusal `not_found` */
export async function getProduct(ctx: Ctx, id: string): Promise<ProductRow> {
  requireRole(ctx, 'auditor')
  const [found] = await ctx.db
    .select()
    .from(products)
    .where(eq(products.id, uuidOf('prd', id, 'product')))
  return found ?? notFound('product')
}

/** Tiers, newest first. @throws Refusal `product_unknown` when `product` names none. */
export async function listTiers(
  ctx: Ctx,
  query: PageRequest & { product?: string | undefined },
): Promise<Page<Tier>> {
  requireRole(ctx, 'auditor')
  const product = query.product === undefined ? null : await productByCode(ctx.db, query.product)
  const found = await ctx.db
    .select(tierColumns)
    .from(tiers)
    .innerJoin(products, eq(products.id, tiers.productId))
    .where(
      and(
        product === null ? undefined : eq(tiers.productId, product.id),
        query.after === undefined ? undefined : lt(tiers.id, positionOf(query.after)),
      ),
    )
    .orderBy(desc(tiers.id))
    .limit(query.limit + 1)
  return pageOf(found, query.limit, (row) => [row.id])
}

/** @throws Refusal `not_found` */
export async function getTier(ctx: Ctx, id: string): Promise<Tier> {
  requireRole(ctx, 'auditor')
  const [found] = await ctx.db
    .select(tierColumns)
    .from(tiers)
    .innerJoin(products, eq(products.id, tiers.productId))
    .where(eq(tiers.id, uuidOf('tier', id, 'tier')))
  return found ?? notFound('tier')
}

const positionOf = (after: string): string => decodeCursor(after, UUID_PART)[0]
