// Reads instances for an admin: one, or pages of them.
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { InstanceQuery } from '../../contract/admin-instances.schema.ts'
import { instances, products } from '../../db/schema/index.ts'
import { addSeconds } from '../../platform/time.ts'
import { uuidOf } from '../catalog/find-catalog.ts'
import { type Ctx, requireRole } from '../context.ts'
import { decodeCursor, type Page, pageOf, TIME_PART, UUID_PART } from '../paging.ts'
import { type InstanceView, liveSeat, viewInstance, viewInstances } from './instance-view.ts'

/** @throws Refusal `not_found` */
export async function getInstance(ctx: Ctx, id: string): Promise<InstanceView> {
  requireRole(ctx, 'auditor')
  return viewInstance(ctx.db, uuidOf('ins', id, 'instance'), ctx.clock.now())
}

/** Newest first, by when they were first seen. A filter that nothing meets is an empty page. */
export async function listInstances(ctx: Ctx, query: InstanceQuery): Promise<Page<InstanceView>> {
  requireRole(ctx, 'auditor')
  const now = ctx.clock.now()
  const { after, product, license, action, instance_id, text, stale } = query
  const where = and(
    after === undefined ? undefined : isAfter(after),
    product === undefined ? undefined : eq(products.code, product),
    license === undefined ? undefined : holdsSeatOf(uuidOf('lic', license, 'license'), now),
    action === undefined ? undefined : eq(instances.action, action),
    instance_id === undefined ? undefined : eq(instances.instanceId, instance_id),
    text === undefined ? undefined : contains(text),
    stale === undefined ? undefined : sql`${isStale(ctx, now)} = ${stale}`,
  )
  const rows = await viewInstances(ctx.db, where, now, query.limit + 1)
  return pageOf(rows, query.limit, (row) => [String(row.firstSeenAt.getTime()), row.instanceKey])
}

function isAfter(cursor: string): SQL {
  const [seen, key] = decodeCursor(cursor, TIME_PART, UUID_PART)
  return sql`(${instances.firstSeenAt}, ${instances.instanceKey})
    < (timestamptz 'epoch' + ${seen}::bigint * interval '1 millisecond', ${key}::uuid)`
}

const holdsSeatOf = (licenseId: string, now: Date): SQL => sql`exists (
  select from activations a where ${liveSeat(now)} and a.license_id = ${licenseId}::uuid)`

const contains = (text: string): SQL => sql`(
  strpos(lower(${instances.instanceId}), lower(${text}::text)) > 0
  or strpos(lower(coalesce(${instances.hostname}, '')), lower(${text}::text)) > 0)`

const isStale = (ctx: Ctx, now: Date): SQL => sql`(
  ${instances.deactivatedAt} is null
  and ${instances.lastSeenAt} <= ${addSeconds(now, -ctx.settings.staleAfter).toISOString()}::timestamptz)`
