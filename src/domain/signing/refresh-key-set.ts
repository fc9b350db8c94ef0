// Keeps the published key set true as time passes: a key begins, retires or the set grows old without anyone's doing.

import { transaction } from '../../db/transaction.ts'
import { type Ctx, Refusal, type Services } from '../kernel/context.ts'
import { recordChange } from '../kernel/record-change.ts'
import {
  draftKeySet,
  isCurrent,
  type KeySetRow,
  lockKeySets,
  newestKeySet,
  publishKeySet,
} from './publish-key-set.ts'
import { reloadKeyring } from './reload-keyring.ts'

/** Publishes a set if the newest is no longer true. Null when it is, or when the root key is kept elsewhere. */
export async function refreshKeySet(ctx: Ctx): Promise<{ number: number } | null> {
  if (!ctx.rootKey || (await isUpToDate(ctx))) return null
  const number = await transaction(ctx.db, async (tx) => {
    await lockKeySets(tx)
    const before = await newestKeySet(tx)
    const published = await publishKeySet(tx, ctx)
    // Another process was quicker: it wrote the change down.
    if (published === null || published === before?.number) return null
    await recordChange(tx, ctx, {
      action: 'key_set.publish',
      subject: String(published),
      event: 'keys.changed',
    })
    return published
  })
  if (number === null) return null
  await reloadKeyring(ctx)
  return { number }
}

/**
 * The key set to hand out. Where the root key is here, it says what is so now; else it is the last that was signed.
 * @throws Refusal `key_set_missing` when none was ever signed and the root key is kept elsewhere.
 */
export async function currentKeySet(ctx: Ctx): Promise<KeySetRow> {
  try {
    await refreshKeySet({ ...ctx, actor: { kind: 'system', id: 'key_set' } })
  } catch (error) {
    // Signing waits for a trusted clock (T7); handing out what was signed does not.
    if (!(error instanceof Refusal && error.code === 'clock_skew')) throw error
  }
  const newest = await newestKeySet(ctx.db)
  if (newest) return newest
  throw new Refusal('key_set_missing', 'No key set was published yet, and the root key is kept elsewhere.', {
    fix: 'Sign the draft with `leasehold keys sign-set` where the root key is, then `leasehold keys import` it.',
  })
}

async function isUpToDate({ db, clock }: Services): Promise<boolean> {
  const now = clock.now()
  return isCurrent(await newestKeySet(db), await draftKeySet(db, now), now)
}
