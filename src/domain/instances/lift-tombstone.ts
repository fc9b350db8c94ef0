// Lets an instance whose seat an admin ended take it again by itself. Gives it no seat.
import { and, eq, isNull } from 'drizzle-orm'
import { activations } from '../../db/schema/index.ts'
import type { Ctx } from '../kernel/context.ts'
import { changeSeat } from './change-seat.ts'
import type { InstanceView } from './instance-view.ts'

/** Its next validate re-takes a free seat. A seat without a tombstone stays as it is. @throws Refusal `not_found` */
export async function liftTombstone(ctx: Ctx, id: string, license: string): Promise<InstanceView> {
  return changeSeat(ctx, id, license, {
    action: 'seat.lift_tombstone',
    set: { tombstoneLiftedAt: ctx.clock.now() },
    when: and(eq(activations.endedBy, 'admin'), isNull(activations.tombstoneLiftedAt)),
  })
}
