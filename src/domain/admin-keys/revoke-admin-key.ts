// Revokes an admin key, but never the last owner's: nobody could create another over the API.
import { eq, getTableColumns } from 'drizzle-orm'
import { adminKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { parsePublicId } from '../../platform/ids.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { recordChange } from '../kernel/record-change.ts'
import type { AdminKeyRow } from './create-admin-key.ts'
import { holdAdminKeys, keepAnOwner } from './last-owner.ts'

const { hash: _, ...shown } = getTableColumns(adminKeys)

/**
 * Dead from the next request on, on every process. Revoking it again changes nothing.
 * @throws Refusal `not_found`, or `conflict` for the last owner key that is neither revoked nor expired.
 */
export async function revokeAdminKey(ctx: Ctx, id: string): Promise<AdminKeyRow> {
  requireRole(ctx, 'owner')
  const keyId = parsePublicId('adm', id)
  if (keyId === null) throw noSuchKey()
  return transaction(ctx.db, async (tx) => {
    await holdAdminKeys(tx, ctx)
    const now = ctx.clock.now()
    const [key] = await tx.select(shown).from(adminKeys).where(eq(adminKeys.id, keyId))
    if (!key) throw noSuchKey()
    if (key.revokedAt !== null) return key
    await keepAnOwner(tx, key, { ...key, revokedAt: now }, now)
    await tx.update(adminKeys).set({ revokedAt: now }).where(eq(adminKeys.id, keyId))
    await recordChange(tx, ctx, {
      action: 'admin_key.revoke',
      subject: id,
      event: 'admin.changed',
      details: { name: key.name, role: key.role, prefix: key.prefix },
    })
    return { ...key, revokedAt: now }
  })
}

const noSuchKey = () => new Refusal('not_found', 'There is no such admin key.')
