// How many seats of a license a relay may give out by itself: an admin's word. What it was given so far is another
// matter: that counts until its end, unless the admin ends it.
import { and, eq } from 'drizzle-orm'
import { relayAllotments, relayLeases, relays } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { publicId } from '../../platform/ids.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { holdLicense } from '../rights/hold-license.ts'
import { type RelayView, viewRelay } from './view-relay.ts'

export interface Share {
  seats: number
  /** Nothing that was allotted counts any longer (T10: an admin ended it). */
  end?: boolean
}

/**
 * The relay hears of it, and asks for an allotment of that size. More than the license has is no error: it is given
 * what is free. @throws Refusal `not_found`; `conflict` for a license of another customer or a revoked relay.
 */
export async function shareSeats(
  ctx: Ctx,
  id: string,
  licenseId: string,
  { seats, end = false }: Share,
): Promise<RelayView> {
  requireRole(ctx, 'owner')
  const relayId = uuidOf('rly', id, 'relay')
  const license = uuidOf('lic', licenseId, 'license')
  return transaction(ctx.db, async (tx) => {
    const now = ctx.clock.now()
    const [relay] = await tx.select().from(relays).where(eq(relays.id, relayId)).for('share')
    if (!relay) return notFound('relay')
    if (relay.revokedAt !== null && seats > 0) throw isRevoked()
    const { customerId, productId } = await holdLicense(tx, license, 'no key update')
    if (customerId !== relay.customerId) throw foreign()
    const ended = { seats: 0, expiresAt: null, heldSeats: 0, heldUntil: null }
    if (seats === 0) {
      await tx
        .update(relayAllotments)
        .set({ share: 0, updatedAt: now, ...(end ? ended : {}) })
        .where(and(eq(relayAllotments.relayId, relayId), eq(relayAllotments.licenseId, license)))
      if (end) {
        await tx
          .update(relayLeases)
          .set({ released: true })
          .where(and(eq(relayLeases.relayId, relayId), eq(relayLeases.licenseId, license)))
      }
    } else {
      await tx
        .insert(relayAllotments)
        .values({ relayId, licenseId: license, share: seats, seq: 0, ...ended, updatedAt: now })
        .onConflictDoUpdate({
          target: [relayAllotments.relayId, relayAllotments.licenseId],
          set: { share: seats, updatedAt: now },
        })
    }
    const view = await viewRelay(tx, relayId, now)
    await recordChange(tx, ctx, {
      action: 'relay.share',
      subject: id,
      event: 'relay.changed',
      details: { license_id: publicId('lic', license), seats, ...(end ? { end } : {}) },
      scope: { licenseId: license, productId },
    })
    return view
  })
}

const foreign = () =>
  new Refusal('conflict', 'The license belongs to another customer than the relay.', {
    facts: { reason: 'other_customer' },
    fix: 'A relay serves the licenses of its own customer.',
  })

const isRevoked = () =>
  new Refusal('conflict', 'This relay was revoked, and that is final.', {
    facts: { reason: 'relay_revoked' },
    fix: 'Create a new relay.',
  })
