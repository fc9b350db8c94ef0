// A relay's first word: its one-time code and its own public key for a relay key. Nobody is authenticated before it.
import { and, eq, gt, isNull } from 'drizzle-orm'
import type { EnrolAnswer, EnrolRequest } from '../../contract/relay-api.ts'
import { relayAllotments, relayLeases, relays } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { mintCredential, wellFormed } from '../../platform/credentials.ts'
import { publicId } from '../../platform/ids.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import { hashCredential } from '../kernel/credential-hash.ts'
import { recordChange } from '../kernel/record-change.ts'
import { currentKeySet } from '../signing/refresh-key-set.ts'
import { productsOfCustomer } from './find-relay.ts'

/**
 * Uses the code up, whatever becomes of the answer. A relay that is enrolled again has a new key from here on; with
 * another public key it is another machine: what was allotted to the one before counts no longer, an admin having
 * ended it with the new code (T10). @throws Refusal 401 `enrolment_code_unknown` for one that is unknown, used or old.
 */
export async function enrolRelay(ctx: Ctx, body: EnrolRequest): Promise<EnrolAnswer> {
  if (!wellFormed('enrolment_code', body.code)) throw unknownCode()
  // Before the code is used up: without a key set the relay could do nothing.
  const { jws } = await currentKeySet(ctx)
  const { secret, prefix } = mintCredential('relay_key', ctx.random)
  const codeHash = hashCredential(ctx, 'enrolment_code', body.code)
  const publicKey = body.public_key.x
  const now = ctx.clock.now()
  const row = await transaction(ctx.db, async (tx) => {
    const [before] = await tx
      .select({ publicKey: relays.publicKey })
      .from(relays)
      .where(eq(relays.enrolmentHash, codeHash))
      .for('update')
    const [enrolled] = await tx
      .update(relays)
      .set({
        enrolmentHash: null,
        enrolmentExpiresAt: null,
        keyHash: hashCredential(ctx, 'relay_key', secret),
        keyPrefix: prefix,
        publicKey,
        version: body.version,
        lineage: null,
        enrolledAt: now,
        lastSeenAt: now,
        ...(body.name === undefined ? {} : { name: body.name }),
      })
      .where(
        and(eq(relays.enrolmentHash, codeHash), gt(relays.enrolmentExpiresAt, now), isNull(relays.revokedAt)),
      )
      .returning()
    if (!enrolled) throw unknownCode()
    if (before?.publicKey !== publicKey) {
      await tx
        .update(relayAllotments)
        .set({ seats: 0, expiresAt: null, heldSeats: 0, heldUntil: null, updatedAt: now })
        .where(eq(relayAllotments.relayId, enrolled.id))
      await tx.update(relayLeases).set({ released: true }).where(eq(relayLeases.relayId, enrolled.id))
    }
    const id = publicId('rly', enrolled.id)
    await recordChange(
      tx,
      { ...ctx, actor: { kind: 'relay', id } },
      {
        action: 'relay.enrol',
        subject: id,
        event: 'relay.changed',
        details: { name: enrolled.name, prefix, version: body.version, public_key: publicKey },
      },
    )
    return enrolled
  })
  return {
    relay_id: publicId('rly', row.id),
    relay_key: secret,
    issuer: ctx.settings.issuer,
    products: await productsOfCustomer(ctx.db, row.customerId),
    key_set: jws,
  }
}

const unknownCode = () =>
  new Refusal(
    'enrolment_code_unknown',
    'This enrolment code is not known, was used, or is over 24 hours old.',
    {
      fix: 'Ask your vendor for a new code.',
    },
  )
