// Revokes an admin key, but never the last owner's: nobody could create another over the API.
import { and, eq, getTableColumns, gt, isNull, ne, or, sql } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { adminKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { parsePublicId } from '../../platform/ids.ts'
import { recordChange } from '../audit/record-change.ts'
import { type Ctx, Refusal, requireRole } from '../context.ts'
import type { AdminKeyRow } from './create-admin-key.ts'

const OWNER_KEYS_LOCK = 5_027_030
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
    // Until commit: of many revocations at once, each counts what the one before it left.
    await tx.execute(sql`select pg_advisory_xact_lock(${OWNER_KEYS_LOCK})`)
    const now = ctx.clock.now()
    const [key] = await tx.select(shown).from(adminKeys).where(eq(adminKeys.id, keyId))
    if (!key) throw noSuchKey()
    if (key.revokedAt !== null) return key
    const living = key.expiresAt === null || key.expiresAt > now
    if (key.role === 'owner' && living && !(await anotherOwner(tx, keyId, now))) throw lastOwner()
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

async function anotherOwner(tx: Transaction, except: string, now: Date): Promise<boolean> {
  const found = await tx
    .select({ id: adminKeys.id })
    .from(adminKeys)
    .where(
      and(
        eq(adminKeys.role, 'owner'),
        ne(adminKeys.id, except),
        isNull(adminKeys.revokedAt),
        or(isNull(adminKeys.expiresAt), gt(adminKeys.expiresAt, now)),
      ),
    )
    .limit(1)
  return found.length > 0
}

const noSuchKey = () => new Refusal('not_found', 'There is no such admin key.')

const lastOwner = () =>
  new Refusal('conflict', 'This is the last owner key; without one nobody could create another.', {
    facts: { reason: 'last_owner' },
    fix: 'Create another owner key first, then revoke this one with it.',
  })
