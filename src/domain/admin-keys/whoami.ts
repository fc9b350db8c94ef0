// The admin key that asks. Reads only.
import { eq, getTableColumns } from 'drizzle-orm'
import { adminKeys } from '../../db/schema/index.ts'
import { parsePublicId } from '../../platform/ids.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import type { AdminKeyRow } from './create-admin-key.ts'

const { hash: _, ...shown } = getTableColumns(adminKeys)

/** @throws Refusal `not_found` where nobody is logged in with an admin key. */
export async function whoami(ctx: Ctx): Promise<AdminKeyRow> {
  requireRole(ctx, 'auditor')
  const id = parsePublicId('adm', ctx.actor.id)
  const [key] = id === null ? [] : await ctx.db.select(shown).from(adminKeys).where(eq(adminKeys.id, id))
  if (key) return key
  throw new Refusal('not_found', 'There is no admin key behind this request.')
}
