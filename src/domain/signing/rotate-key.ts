// Gives a product its next signing key: a successor that begins at a stated moment, when the one before it starts to
// retire (T4). Nothing that was signed before stops verifying.
import { and, desc, eq, isNull } from 'drizzle-orm'
import type { KeyRotation } from '../../contract/admin-signing.schema.ts'
import type { Transaction } from '../../db/client.ts'
import { signingKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { addSeconds, rfc3339 } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { productByCode } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { createSigningKey } from './create-keys.ts'
import { lockProductKeys, requireConfirmation, retirementOf } from './key-chain.ts'
import { keyStatus } from './key-times.ts'
import { publishKeySet } from './publish-key-set.ts'
import { reloadKeyring } from './reload-keyring.ts'
import { type SigningKeyRow, selectSigningKeys } from './signing-key.ts'

const ONE_MILLISECOND = 0.001

export interface Rotation {
  key: SigningKeyRow
  /** kid of the key that it takes over from. */
  replaces: string
  /** Number of the key set that names it; null where the root key is kept elsewhere. */
  keySet: number | null
}

/**
 * Rotations of one product follow one another; each supersedes the key that the one before it made.
 * @throws Refusal `product_unknown`; `confirmation_required` for a raw key; `conflict` while a successor is waiting
 * for its time.
 */
export async function rotateSigningKey(ctx: Ctx, input: KeyRotation): Promise<Rotation> {
  requireRole(ctx, 'owner')
  const { use } = input
  const rotation = await transaction(ctx.db, async (tx) => {
    const product = await productByCode(tx, input.product)
    await lockProductKeys(tx, product.id)
    const now = ctx.clock.now()
    const head = await newestKey(tx, product.id, use)
    await requireConfirmation(tx, ctx, head, input.confirm, 'Rotating')
    if (keyStatus(head, now) === 'pending') throw rotationUnderWay(head)
    // Later than the key before it, so that "the newest that has begun" is one key at every moment.
    const begun = addSeconds(head.notBefore, ONE_MILLISECOND)
    const wanted = addSeconds(now, input.activate_in)
    const notBefore = wanted > begun ? wanted : begun
    const kid = await createSigningKey(tx, ctx, product, use, notBefore)
    const retiredAt = await retirementOf(tx, ctx, product.id, use, notBefore)
    await tx
      .update(signingKeys)
      .set({ supersededAt: notBefore, retiredAt })
      .where(eq(signingKeys.kid, head.kid))
    const keySet = await publishKeySet(tx, ctx)
    await recordChange(tx, ctx, {
      action: 'signing_key.rotate',
      subject: kid,
      event: 'keys.changed',
      details: {
        product: product.code,
        use,
        replaces: head.kid,
        not_before: rfc3339(notBefore),
        retires: rfc3339(retiredAt),
      },
      scope: { productId: product.id },
    })
    const [key] = await selectSigningKeys(tx).where(eq(signingKeys.kid, kid))
    if (!key) throw new Error('a signing key vanished within its own transaction')
    return { key, replaces: head.kid, keySet }
  })
  await reloadKeyring(ctx)
  return rotation
}

/** The key that no other supersedes: active, or waiting for its time. A product always has one for each use. */
async function newestKey(
  tx: Transaction,
  productId: string,
  use: KeyRotation['use'],
): Promise<SigningKeyRow> {
  const [head] = await selectSigningKeys(tx)
    .where(
      and(
        eq(signingKeys.productId, productId),
        eq(signingKeys.use, use),
        isNull(signingKeys.supersededAt),
        isNull(signingKeys.revokedAt),
      ),
    )
    .orderBy(desc(signingKeys.notBefore))
    .limit(1)
  if (!head) throw new Error(`product ${productId} has no ${use} key`)
  return head
}

const rotationUnderWay = (successor: SigningKeyRow) =>
  new Refusal(
    'conflict',
    `A new ${successor.use} key takes over at ${rfc3339(successor.notBefore)} already.`,
    {
      facts: { reason: 'rotation_under_way', kid: successor.kid, not_before: rfc3339(successor.notBefore) },
      fix: 'Wait until it has taken over, or revoke it to keep the key that signs now.',
    },
  )
