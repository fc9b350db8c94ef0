// Creates a relay of a customer, with the one-time code that its machine enrols with.
import type { NewRelay } from '../../contract/admin-relays.schema.ts'
import { violates } from '../../db/errors.ts'
import { relays } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { newEnrolmentCode } from './enrolment-code.ts'
import { type RelayView, viewRelay } from './view-relay.ts'

/** The relay and its enrolment code, shown once. @throws Refusal `not_found` for an unknown customer. */
export async function createRelay(ctx: Ctx, input: NewRelay): Promise<{ relay: RelayView; code: string }> {
  requireRole(ctx, 'owner')
  const now = ctx.clock.now()
  const id = uuidv7(now, ctx.random)
  const customerId = uuidOf('cus', input.customer_id, 'customer')
  const { code, columns } = newEnrolmentCode(ctx)
  const work = transaction(ctx.db, async (tx) => {
    await tx.insert(relays).values({ id, customerId, name: input.name, createdAt: now, ...columns })
    const relay = await viewRelay(tx, id, now)
    await recordChange(tx, ctx, {
      action: 'relay.create',
      subject: publicId('rly', id),
      event: 'relay.changed',
      details: { name: input.name, customer_id: input.customer_id },
    })
    return { relay, code }
  })
  return work.catch((error: unknown) => {
    if (!violates(error, 'relays_customer_fk')) throw error
    throw new Refusal('not_found', 'There is no such customer.', {
      facts: { customer_id: input.customer_id },
      fix: 'GET /api/v1/admin/customers lists them.',
    })
  })
}
