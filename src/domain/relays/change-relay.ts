// Renames a relay, or ends it.
import { and, eq, isNull } from 'drizzle-orm'
import { relays } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { type RelayView, viewRelay } from './view-relay.ts'

/** @throws Refusal `not_found` */
export async function renameRelay(ctx: Ctx, id: string, { name }: { name: string }): Promise<RelayView> {
  requireRole(ctx, 'owner')
  const relayId = uuidOf('rly', id, 'relay')
  return transaction(ctx.db, async (tx) => {
    const [changed] = await tx
      .update(relays)
      .set({ name })
      .where(eq(relays.id, relayId))
      .returning({ id: relays.id })
    if (!changed) return notFound('relay')
    const relay = await viewRelay(tx, relayId, ctx.clock.now())
    await recordChange(tx, ctx, {
      action: 'relay.change',
      subject: id,
      event: 'relay.changed',
      details: { name },
    })
    return relay
  })
}

/**
 * Its key and its enrolment code are dead from the next request on, on every process. What was allotted to it counts
 * until its end: the machine may go by it until then. Revoking again changes nothing. @throws Refusal `not_found`
 */
export async function revokeRelay(ctx: Ctx, id: string): Promise<RelayView> {
  requireRole(ctx, 'owner')
  const relayId = uuidOf('rly', id, 'relay')
  return transaction(ctx.db, async (tx) => {
    const now = ctx.clock.now()
    const [revoked] = await tx
      .update(relays)
      .set({ revokedAt: now, enrolmentHash: null, enrolmentExpiresAt: null })
      .where(and(eq(relays.id, relayId), isNull(relays.revokedAt)))
      .returning({ name: relays.name, keyPrefix: relays.keyPrefix })
    const relay = await viewRelay(tx, relayId, now)
    if (!revoked) return relay
    await recordChange(tx, ctx, {
      action: 'relay.revoke',
      subject: id,
      event: 'relay.changed',
      details: { name: revoked.name, prefix: revoked.keyPrefix },
    })
    return relay
  })
}
