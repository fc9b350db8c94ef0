// Which instances an admin means: the filters of the list and of the bulk action as one condition. Reads nothing.
import { and, eq, gte, lt, ne, type SQL, sql } from 'drizzle-orm'
import type { InstanceFilter } from '../../contract/admin-instances.schema.ts'
import type { Action } from '../../contract/claims.ts'
import { instances, products } from '../../db/schema/index.ts'
import { instanceKey } from '../../platform/ids.ts'
import { addSeconds, parseRfc3339 } from '../../platform/time.ts'
import type { Ctx } from '../kernel/context.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import { seatIsLive } from '../rights/seat.ts'
import { rareProof } from './filter-hints.ts'
import { grantedTier } from './instance-view.ts'

/** Every member that is given must hold. The query must join `products`. @throws Refusal `not_found` */
export function meetsFilter(ctx: Ctx, filter: InstanceFilter, now: Date): SQL | undefined {
  const { product, license, tier, version, action, instance_id, text, stale, proof, verified } = filter
  const { last_seen_after: after, last_seen_before: before } = filter
  return and(
    product === undefined ? undefined : eq(products.code, product),
    license === undefined ? undefined : holdsSeatOf(uuidOf('lic', license, 'license'), now),
    tier === undefined ? undefined : sql`${grantedTier(now)} = ${tier}`,
    version === undefined ? undefined : eq(instances.version, version),
    action === undefined ? undefined : hasAction(action),
    instance_id === undefined ? undefined : isNamed(instance_id, product),
    text === undefined ? undefined : contains(text),
    stale === undefined ? undefined : sql`${isStale(ctx, now)} = ${stale}`,
    proof === undefined ? undefined : eq(instances.proof, proof),
    verified === undefined ? undefined : (verified ? ne : eq)(instances.proof, 'none'),
    after === undefined ? undefined : gte(instances.lastSeenAt, parseRfc3339(after)),
    before === undefined ? undefined : lt(instances.lastSeenAt, parseRfc3339(before)),
  )
}

const holdsSeatOf = (licenseId: string, now: Date): SQL => sql`${instances.instanceKey} in (
  select a.instance_key from activations a where a.license_id = ${licenseId}::uuid and ${seatIsLive(now)})`

/** Product and id give the primary key. */
const isNamed = (instanceId: string, product: string | undefined): SQL | undefined =>
  and(
    eq(instances.instanceId, instanceId),
    product === undefined ? undefined : eq(instances.instanceKey, instanceKey(product, instanceId)),
  )

/** Few instances have one: an index holds just those. */
const hasAction = (action: Action): SQL | undefined =>
  and(eq(instances.action, action), action === 'none' ? undefined : sql`${instances.action} <> 'none'`)

/** One string of both, as the trigram index has it; then each by itself, lest a match runs from one into the other. */
const contains = (text: string): SQL => {
  const pattern = sql`lower(${`%${text.replaceAll(/[\\%_]/g, '\\$&')}%`}::text)`
  return sql`(
    lower(${instances.instanceId} || ' ' || coalesce(${instances.hostname}, '')) like ${pattern}
    and (lower(${instances.instanceId}) like ${pattern} or lower(${instances.hostname}) like ${pattern}))`
}

/** Whether few may meet the filter where indexes find them; their order is then a matter of sorting those few. */
export const isSelective = (filter: InstanceFilter): boolean =>
  filter.license !== undefined ||
  filter.tier !== undefined ||
  filter.text !== undefined ||
  filter.instance_id !== undefined ||
  (filter.action !== undefined && filter.action !== 'none') ||
  rareProof(filter) !== undefined

export const isStale = (ctx: Ctx, now: Date): SQL => sql`(
  ${instances.deactivatedAt} is null
  and ${instances.lastSeenAt} <= ${addSeconds(now, -ctx.settings.staleAfter).toISOString()}::timestamptz)`
