// Ends the seat that an instance holds of a license. Its sessions need a new proof of license from then on (T8, T10).
import { isNull } from 'drizzle-orm'
import { activations } from '../../db/schema/index.ts'
import type { Ctx } from '../kernel/context.ts'
import { changeSeat } from './change-seat.ts'
import type { InstanceView } from './instance-view.ts'

/** A seat that has ended stays as it is. @throws Refusal `not_found`, `action_budget_exceeded` */
export async function releaseSeat(ctx: Ctx, id: string, license: string): Promise<InstanceView> {
  return changeSeat(ctx, id, license, {
    action: 'seat.release',
    set: { endedAt: ctx.clock.now(), endedBy: 'admin' },
    when: isNull(activations.endedAt),
    takes: true,
  })
}
