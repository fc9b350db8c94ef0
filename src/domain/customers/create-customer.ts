// Creates a customer: who licenses are issued to.
import type { NewCustomer } from '../../contract/admin-customers.schema.ts'
import { customers } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { recordChange } from '../kernel/record-change.ts'

export type CustomerRow = typeof customers.$inferSelect

/** Two customers may share a name: people and companies do. */
export async function createCustomer(ctx: Ctx, input: NewCustomer): Promise<CustomerRow> {
  requireRole(ctx, 'operator')
  const now = ctx.clock.now()
  const customer = { id: uuidv7(now, ctx.random), ...input, createdAt: now, updatedAt: now }
  await transaction(ctx.db, async (tx) => {
    await tx.insert(customers).values(customer)
    await recordChange(tx, ctx, {
      action: 'customer.create',
      subject: publicId('cus', customer.id),
      event: 'customer.changed',
      details: { name: input.name, company: input.company },
      scope: { customerId: customer.id },
    })
  })
  return customer
}
