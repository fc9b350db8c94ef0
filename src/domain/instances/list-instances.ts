// Reads instances for an admin: one, or pages of them.
import { and, type SQL, sql } from 'drizzle-orm'
import type { InstanceQuery } from '../../contract/admin-instances.schema.ts'
import { instances } from '../../db/schema/index.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import { decodeCursor, type Page, pageOf, TIME_PART, UUID_PART } from '../kernel/paging.ts'
import { meetsFilter } from './instance-filter.ts'
import { type InstanceView, viewInstance, viewInstances } from './instance-view.ts'

/** @throws Refusal `not_found` */
export async function getInstance(ctx: Ctx, id: string): Promise<InstanceView> {
  requireRole(ctx, 'auditor')
  return viewInstance(ctx.db, uuidOf('ins', id, 'instance'), ctx.clock.now())
}

/** Newest first, by when they were first seen. A filter that nothing meets is an empty page. */
export async function listInstances(ctx: Ctx, query: InstanceQuery): Promise<Page<InstanceView>> {
  requireRole(ctx, 'auditor')
  const now = ctx.clock.now()
  const { limit, after, ...filter } = query
  const where = and(after === undefined ? undefined : isAfter(after), meetsFilter(ctx, filter, now))
  const rows = await viewInstances(ctx.db, where, now, limit + 1)
  return pageOf(rows, limit, (row) => [String(row.firstSeenAt.getTime()), row.instanceKey])
}

function isAfter(cursor: string): SQL {
  const [seen, key] = decodeCursor(cursor, TIME_PART, UUID_PART)
  return sql`(${instances.firstSeenAt}, ${instances.instanceKey})
    < (timestamptz 'epoch' + ${seen}::bigint * interval '1 millisecond', ${key}::uuid)`
}
