// Reads admin keys for an owner, without what could be used of them.
import { desc, getTableColumns, lt } from 'drizzle-orm'
import { adminKeys } from '../../db/schema/index.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { decodeCursor, type Page, type PageRequest, pageOf, UUID_PART } from '../kernel/paging.ts'
import type { AdminKeyRow } from './create-admin-key.ts'

const { hash: _, ...shown } = getTableColumns(adminKeys)

/** Admin keys, revoked and expired ones too, newest first. */
export async function listAdminKeys(ctx: Ctx, page: PageRequest): Promise<Page<AdminKeyRow>> {
  requireRole(ctx, 'owner')
  const found = await ctx.db
    .select(shown)
    .from(adminKeys)
    .where(page.after === undefined ? undefined : lt(adminKeys.id, decodeCursor(page.after, UUID_PART)[0]))
    .orderBy(desc(adminKeys.id))
    .limit(page.limit + 1)
  return pageOf(found, page.limit, (row) => [row.id])
}
