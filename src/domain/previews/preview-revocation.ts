// Says what would stop verifying if a signing key were revoked. Writes nothing.
import { and, asc, eq, gt, isNull } from 'drizzle-orm'
import { signingKeys } from '../../db/schema/index.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { keyStatus } from '../signing/key-times.ts'
import { findKey } from '../signing/revoke-key.ts'
import { readSignedBy, type SignedBy } from '../signing/signed-by.ts'
import { type SigningKeyRow, selectSigningKeys } from '../signing/signing-key.ts'
import { readOnly } from './read-subjects.ts'

export interface RevocationPreview {
  key: SigningKeyRow
  changes: boolean
  /** kid of the waiting key that would take over at once; null where a new one is made, or the key does not sign. */
  takesOver: string | null
  signed: SignedBy
}

/** @throws Refusal `not_found` */
export async function previewKeyRevocation(ctx: Ctx, kid: string): Promise<RevocationPreview> {
  requireRole(ctx, 'owner')
  const now = ctx.clock.now()
  return readOnly(ctx, async (tx) => {
    const key = await findKey(tx, kid)
    const status = keyStatus(key, now)
    const [waiting] = await selectSigningKeys(tx)
      .where(
        and(
          eq(signingKeys.productId, key.productId),
          eq(signingKeys.use, key.use),
          isNull(signingKeys.revokedAt),
          gt(signingKeys.notBefore, now),
        ),
      )
      .orderBy(asc(signingKeys.notBefore))
      .limit(1)
    return {
      key,
      changes: status !== 'revoked',
      takesOver: status === 'active' ? (waiting?.kid ?? null) : null,
      signed: await readSignedBy(tx, key, ctx.settings.entitlementLife, now),
    }
  })
}
