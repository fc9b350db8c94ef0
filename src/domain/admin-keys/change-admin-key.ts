// Changes the name, role or end of an admin key. Its secret stays what it is.
import { eq, getTableColumns } from 'drizzle-orm'
import type { AdminKeyChange } from '../../contract/admin-keys.schema.ts'
import { adminKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { parsePublicId } from '../../platform/ids.ts'
import { rfc3339 } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { recordChange } from '../kernel/record-change.ts'
import { type AdminKeyRow, readEnd } from './create-admin-key.ts'
import { holdAdminKeys, keepAnOwner } from './last-owner.ts'

const { hash: _, ...shown } = getTableColumns(adminKeys)

/**
 * Counts from the next request on, on every process. A change to what already is writes nothing down.
 * @throws Refusal `not_found`; `invalid_request` for an end in the past; `conflict` for a revoked key, or when the last
 * owner would be demoted or allowed to expire.
 */
export async function changeAdminKey(ctx: Ctx, id: string, input: AdminKeyChange): Promise<AdminKeyRow> {
  requireRole(ctx, 'owner')
  const keyId = parsePublicId('adm', id)
  if (keyId === null) throw noSuchKey()
  return transaction(ctx.db, async (tx) => {
    await holdAdminKeys(tx, ctx)
    const now = ctx.clock.now()
    const [before] = await tx.select(shown).from(adminKeys).where(eq(adminKeys.id, keyId))
    if (!before) throw noSuchKey()
    if (before.revokedAt !== null) throw revoked()
    const set = {
      name: input.name ?? before.name,
      role: input.role ?? before.role,
      expiresAt: input.expires_at === undefined ? before.expiresAt : readEnd(input.expires_at, now),
    }
    const details = changesOf(before, set)
    if (Object.keys(details).length === 0) return before
    const after = { ...before, ...set }
    await keepAnOwner(tx, before, after, now)
    await tx.update(adminKeys).set(set).where(eq(adminKeys.id, keyId))
    await recordChange(tx, ctx, { action: 'admin_key.change', subject: id, event: 'admin.changed', details })
    return after
  })
}

type Changeable = Pick<AdminKeyRow, 'name' | 'role' | 'expiresAt'>

/** What is other than it was, as the API writes it. */
function changesOf(before: Changeable, after: Changeable): Record<string, unknown> {
  const told = ({ name, role, expiresAt }: Changeable) =>
    Object.entries({ name, role, expires_at: expiresAt && rfc3339(expiresAt) })
  const old = new Map<string, unknown>(told(before))
  return Object.fromEntries(told(after).filter(([name, value]) => old.get(name) !== value))
}

const noSuchKey = () => new Refusal('not_found', 'There is no such admin key.')

const revoked = () =>
  new Refusal('conflict', 'This admin key was revoked, and that is final.', {
    facts: { reason: 'admin_key_revoked' },
    fix: 'Create a new admin key.',
  })
