// Revokes a stolen signing key: it verifies nothing from now on (T4). There is a key that signs at every moment.
import { and, eq, gt, isNull } from 'drizzle-orm'
import type { KeyRevocation } from '../../contract/admin-signing.schema.ts'
import type { Transaction } from '../../db/client.ts'
import { signingKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { recordChange } from '../kernel/record-change.ts'
import { createSigningKey } from './create-keys.ts'
import { lockProductKeys, requireConfirmation } from './key-chain.ts'
import { keyStatus } from './key-times.ts'
import { publishKeySet } from './publish-key-set.ts'
import { reloadKeyring } from './reload-keyring.ts'
import { type SigningKeyRow, selectSigningKeys } from './signing-key.ts'

const KID = /^[A-Za-z0-9_-]{1,128}$/

export interface Revocation {
  key: SigningKeyRow
  /** kid of the key that signs now. */
  active: string
  keySet: number | null
}

/**
 * In the same transaction the active key's successor takes over, or a new one is made. Revoking a key that is still
 * waiting calls its rotation off. Repeating it changes nothing.
 * @throws Refusal `not_found`; `confirmation_required` for a raw key.
 */
export async function revokeSigningKey(ctx: Ctx, kid: string, input: KeyRevocation): Promise<Revocation> {
  requireRole(ctx, 'owner')
  const revocation = await transaction(ctx.db, async (tx) => {
    const found = await findKey(tx, kid)
    const { productId, use } = found
    await requireConfirmation(tx, ctx, found, input.confirm, 'Revoking')
    await lockProductKeys(tx, productId)
    const now = ctx.clock.now()
    const key = await findKey(tx, kid)
    const status = keyStatus(key, now)
    if (status === 'revoked') {
      return { key, active: await activeKid(tx, key, now), keySet: await publishKeySet(tx, ctx) }
    }
    await tx.update(signingKeys).set({ revokedAt: now }).where(eq(signingKeys.kid, kid))
    if (status === 'active') await takeOverNow(tx, ctx, key, now)
    if (status === 'pending') await callRotationOff(tx, key, now)
    const active = await activeKid(tx, key, now)
    const keySet = await publishKeySet(tx, ctx)
    await recordChange(tx, ctx, {
      action: 'signing_key.revoke',
      subject: kid,
      event: 'keys.changed',
      reason: input.reason,
      details: { product: key.product, use, was: status, active },
      scope: { productId },
    })
    return { key: { ...key, revokedAt: now }, active, keySet }
  })
  await reloadKeyring(ctx)
  return revocation
}

/** @throws Refusal `not_found` */
export async function findKey(tx: Transaction, kid: string): Promise<SigningKeyRow> {
  const [key] = KID.test(kid) ? await selectSigningKeys(tx).where(eq(signingKeys.kid, kid)) : []
  if (key) return key
  throw new Refusal('not_found', 'There is no such signing key.', {
    fix: 'GET /api/v1/admin/signing-keys lists them.',
  })
}

const siblings = (key: SigningKeyRow) =>
  and(eq(signingKeys.productId, key.productId), eq(signingKeys.use, key.use), isNull(signingKeys.revokedAt))

/** A successor that waits for its time begins now; without one a new key is made. */
async function takeOverNow(tx: Transaction, ctx: Ctx, revoked: SigningKeyRow, now: Date): Promise<void> {
  const waiting = await tx
    .update(signingKeys)
    .set({ notBefore: now })
    .where(and(siblings(revoked), gt(signingKeys.notBefore, now)))
    .returning({ kid: signingKeys.kid })
  if (waiting.length > 0) return
  const product = { id: revoked.productId, code: revoked.product }
  await createSigningKey(tx, ctx, product, revoked.use, now)
}

/** The key that it would have superseded goes on signing. */
async function callRotationOff(tx: Transaction, revoked: SigningKeyRow, now: Date): Promise<void> {
  await tx
    .update(signingKeys)
    .set({ supersededAt: null, retiredAt: null })
    .where(and(siblings(revoked), gt(signingKeys.supersededAt, now)))
}

async function activeKid(tx: Transaction, like: SigningKeyRow, now: Date): Promise<string> {
  const keys = await selectSigningKeys(tx).where(siblings(like))
  const active = keys.find((key) => keyStatus(key, now) === 'active')
  if (!active) throw new Error(`product ${like.product} has no active ${like.use} key`)
  return active.kid
}
