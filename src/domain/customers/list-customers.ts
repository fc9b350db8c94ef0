// Reads customers for an admin: one, or pages of those that hold a text.
import { and, desc, eq, ilike, lt, or } from 'drizzle-orm'
import { customers } from '../../db/schema/index.ts'
import { parsePublicId } from '../../platform/ids.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { decodeCursor, type Page, type PageRequest, pageOf, UUID_PART } from '../kernel/paging.ts'
import { noSuchCustomer } from './change-customer.ts'
import type { CustomerRow } from './create-customer.ts'

/** Customers, newest first; `q` is looked for in name, company and email, whatever its case. */
export async function listCustomers(
  ctx: Ctx,
  query: PageRequest & { q?: string | undefined },
): Promise<Page<CustomerRow>> {
  requireRole(ctx, 'auditor')
  const found = await ctx.db
    .select()
    .from(customers)
    .where(
      and(
        query.q === undefined ? undefined : holds(query.q),
        query.after === undefined ? undefined : lt(customers.id, decodeCursor(query.after, UUID_PART)[0]),
      ),
    )
    .orderBy(desc(customers.id))
    .limit(query.limit + 1)
  return pageOf(found, query.limit, (row) => [row.id])
}

/** @throws Refusal `not_found` */
export async function getCustomer(ctx: Ctx, id: string): Promise<CustomerRow> {
  requireRole(ctx, 'auditor')
  const customerId = parsePublicId('cus', id)
  if (customerId === null) throw noSuchCustomer()
  const [found] = await ctx.db.select().from(customers).where(eq(customers.id, customerId))
  if (!found) throw noSuchCustomer()
  return found
}

function holds(text: string) {
  const pattern = `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`
  return or(
    ilike(customers.name, pattern),
    ilike(customers.company, pattern),
    ilike(customers.email, pattern),
  )
}
