// Changes what is known of a customer.
import { eq } from 'drizzle-orm'
import type { CustomerChange } from '../../contract/admin-customers.schema.ts'
import { customers } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { parsePublicId } from '../../platform/ids.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { recordChange } from '../kernel/record-change.ts'
import type { CustomerRow } from './create-customer.ts'

/** Members that are absent stay as they are. @throws Refusal `not_found` */
export async function changeCustomer(ctx: Ctx, id: string, change: CustomerChange): Promise<CustomerRow> {
  requireRole(ctx, 'operator')
  const customerId = parsePublicId('cus', id)
  if (customerId === null) throw noSuchCustomer()
  return transaction(ctx.db, async (tx) => {
    const { name, company, email, metadata } = change
    const [changed] = await tx
      .update(customers)
      .set({ name, company, email, metadata, updatedAt: ctx.clock.now() })
      .where(eq(customers.id, customerId))
      .returning()
    if (!changed) throw noSuchCustomer()
    // Names of members alone: the audit log outlives what a customer may ask to have deleted.
    await recordChange(tx, ctx, {
      action: 'customer.change',
      subject: id,
      event: 'customer.changed',
      details: { changed: Object.keys(change) },
      scope: { customerId },
    })
    return changed
  })
}

export const noSuchCustomer = () => new Refusal('not_found', 'There is no such customer.')
