// Which instances an admin means: the filters of the list and of the bulk action as one condition. Reads nothing.
import { and, eq, gte, lt, ne, type SQL, sql } from 'drizzle-orm'
import type { InstanceFilter } from '../../contract/admin-instances.schema.ts'
import { instances, products } from '../../db/schema/index.ts'
import { addSeconds, parseRfc3339 } from '../../platform/time.ts'
import type { Ctx } from '../kernel/context.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import { grantedTier, liveSeat } from './instance-view.ts'

/** Every member that is given must hold. The query must join `products`. @throws Refusal `not_found` */
export function meetsFilter(ctx: Ctx, filter: InstanceFilter, now: Date): SQL | undefined {
  const { product, license, tier, version, action, instance_id, text, stale, proof, verified } = filter
  const { last_seen_after: after, last_seen_before: before } = filter
  return and(
    product === undefined ? undefined : eq(products.code, product),
    license === undefined ? undefined : holdsSeatOf(uuidOf('lic', license, 'license'), now),
    tier === undefined ? undefined : sql`${grantedTier(now)} = ${tier}`,
    version === undefined ? undefined : eq(instances.version, version),
    action === undefined ? undefined : eq(instances.action, action),
    instance_id === undefined ? undefined : eq(instances.instanceId, instance_id),
    text === undefined ? undefined : contains(text),
    stale === undefined ? undefined : sql`${isStale(ctx, now)} = ${stale}`,
    proof === undefined ? undefined : eq(instances.proof, proof),
    verified === undefined ? undefined : (verified ? ne : eq)(instances.proof, 'none'),
    after === undefined ? undefined : gte(instances.lastSeenAt, parseRfc3339(after)),
    before === undefined ? undefined : lt(instances.lastSeenAt, parseRfc3339(before)),
  )
}

const holdsSeatOf = (licenseId: string, now: Date): SQL => sql`exists (
  select from activations a where ${liveSeat(now)} and a.license_id = ${licenseId}::uuid)`

const contains = (text: string): SQL => sql`(
  strpos(lower(${instances.instanceId}), lower(${text}::text)) > 0
  or strpos(lower(coalesce(${instances.hostname}, '')), lower(${text}::text)) > 0)`

const isStale = (ctx: Ctx, now: Date): SQL => sql`(
  ${instances.deactivatedAt} is null
  and ${instances.lastSeenAt} <= ${addSeconds(now, -ctx.settings.staleAfter).toISOString()}::timestamptz)`
