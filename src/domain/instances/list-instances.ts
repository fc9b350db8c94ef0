// Reads instances for an admin: one, or pages of them.
import { and, type SQL, sql } from 'drizzle-orm'
import type { InstanceFilter, InstanceQuery } from '../../contract/admin-instances.schema.ts'
import type { Executor } from '../../db/client.ts'
import { instances } from '../../db/schema/index.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import { decodeCursor, type Page, pageOf, TIME_PART, UUID_PART } from '../kernel/paging.ts'
import { hintsOf } from './filter-hints.ts'
import { isSelective, meetsFilter } from './instance-filter.ts'
import { type InstanceView, SORTED, viewInstance, viewInstances } from './instance-view.ts'

/** Rows of the list that are looked at before the index of a filter is. */
const LOOK_AHEAD = 1_000

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
  const following = after === undefined ? undefined : isAfter(after)
  const where = and(following, meetsFilter(ctx, filter, now))
  const rows = await readPage(ctx.db, { filter, where, following, now, most: limit + 1 })
  return pageOf(rows, limit, (row) => [String(row.firstSeenAt.getTime()), row.instanceKey])
}

interface PageRequest {
  filter: InstanceFilter
  where: SQL | undefined
  /** What comes after the page before. */
  following: SQL | undefined
  now: Date
  most: number
}

/**
 * What many meet is found among the next rows of the list; what few meet is found by its own index. Neither way alone
 * is fast for both, and nobody knows beforehand.
 */
async function readPage(db: Executor, { filter, where, following, now, most }: PageRequest) {
  if (!isSelective(filter)) return viewInstances(db, where, now, most)
  const next = sql`${instances.instanceKey} in (
    select instance_key from instances where ${following ?? sql`true`}
    order by first_seen_at desc nulls last, instance_key desc nulls last limit ${LOOK_AHEAD})`
  const rows = await viewInstances(db, and(where, next), now, most, SORTED)
  return rows.length === most ? rows : viewInstances(db, and(where, hintsOf(filter, now)), now, most, SORTED)
}

function isAfter(cursor: string): SQL {
  const [seen, key] = decodeCursor(cursor, TIME_PART, UUID_PART)
  return sql`(${instances.firstSeenAt}, ${instances.instanceKey})
    < (timestamptz 'epoch' + ${seen}::bigint * interval '1 millisecond', ${key}::uuid)`
}
