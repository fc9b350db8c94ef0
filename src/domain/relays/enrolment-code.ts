// Makes the one-time code of a relay, and gives a relay a new one.
import { and, eq, isNull } from 'drizzle-orm'
import { ENROLMENT_CODE_HOURS } from '../../contract/relay-api.ts'
import { relays } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { mintCredential } from '../../platform/credentials.ts'
import { addSeconds } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { hashCredential } from '../kernel/credential-hash.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { type RelayView, viewRelay } from './view-relay.ts'

/** A code, and what is stored of it. */
export function newEnrolmentCode(ctx: Ctx) {
  const { secret } = mintCredential('enrolment_code', ctx.random)
  return {
    code: secret,
    columns: {
      enrolmentHash: hashCredential(ctx, 'enrolment_code', secret),
      enrolmentExpiresAt: addSeconds(ctx.clock.now(), ENROLMENT_CODE_HOURS * 3600),
    },
  }
}

/** The code before is dead; the key that is in use lives until the new code is used. @throws Refusal `not_found`, `conflict` */
export async function issueEnrolmentCode(ctx: Ctx, id: string): Promise<{ relay: RelayView; code: string }> {
  requireRole(ctx, 'owner')
  const relayId = uuidOf('rly', id, 'relay')
  const { code, columns } = newEnrolmentCode(ctx)
  return transaction(ctx.db, async (tx) => {
    const [changed] = await tx
      .update(relays)
      .set(columns)
      .where(and(eq(relays.id, relayId), isNull(relays.revokedAt)))
      .returning({ id: relays.id })
    const relay = await viewRelay(tx, relayId, ctx.clock.now())
    if (!changed) {
      throw new Refusal('conflict', 'This relay was revoked, and that is final.', {
        facts: { reason: 'relay_revoked' },
        fix: 'Create a new relay.',
      })
    }
    await recordChange(tx, ctx, { action: 'relay.issue_code', subject: id, event: 'relay.changed' })
    return { relay, code }
  })
}
