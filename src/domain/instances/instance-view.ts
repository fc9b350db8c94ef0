// An instance as an admin sees it: its own row, the seats that it holds or held, and what they grant it.
import { eq, getTableColumns, type SQL, sql } from 'drizzle-orm'
import type { SeatEndedBy } from '../../contract/catalog.ts'
import type { Executor } from '../../db/client.ts'
import { instances, products } from '../../db/schema/index.ts'
import { notFound } from '../kernel/find-catalog.ts'
import { seatIsLive } from '../rights/seat.ts'

export type InstanceView = Awaited<ReturnType<typeof viewInstances>>[number]

/** A seat as JSON of the database: times are unix milliseconds. */
export interface SeatView {
  licenseId: string
  activatedAt: number
  leaseEndsAt: number
  endedAt: number | null
  endedBy: SeatEndedBy | null
  tombstone: boolean
}

/** A seat of the instance that is held at `now`; `a` names the activation. */
export const liveSeat = (now: Date): SQL => sql`(
  a.instance_key = ${instances.instanceKey} and ${seatIsLive(now)})`

const lowestTier = sql`(
  select t.code from tiers t where t.product_id = ${instances.productId} order by t.rank limit 1)`

/** The code of the tier that the instance is granted: of its highest seat, else the lowest; null while killed. */
export const grantedTier = (now: Date): SQL<string | null> => sql<string | null>`case ${instances.action}
  when 'kill' then null
  when 'downgrade' then ${lowestTier}
  else coalesce((
    select t.code from activations a join licenses l on l.id = a.license_id join tiers t on t.id = l.tier_id
    where ${liveSeat(now)} order by t.rank desc limit 1), ${lowestTier}) end`

const milliseconds = (column: string): SQL => sql.raw(`(extract(epoch from a.${column}) * 1000)::bigint`)

const seats = sql<SeatView[]>`(
  select coalesce(jsonb_agg(jsonb_build_object(
    'licenseId', a.license_id, 'activatedAt', ${milliseconds('activated_at')},
    'leaseEndsAt', ${milliseconds('lease_ends_at')}, 'endedAt', ${milliseconds('ended_at')},
    'endedBy', a.ended_by, 'tombstone', a.ended_by is not distinct from 'admin' and a.tombstone_lifted_at is null)
    order by a.activated_at desc, a.license_id), '[]')
  from activations a where a.instance_key = ${instances.instanceKey})`

/** Newest first, read along the index of that order. */
export const NEWEST = sql`${instances.firstSeenAt} desc nulls last, ${instances.instanceKey} desc nulls last`
/** The same, sorted: for conditions that few meet, and whose own index should find them. */
export const SORTED = sql`${instances.firstSeenAt} + interval '0 seconds' desc, ${instances.instanceKey} desc`

/** The instances that meet the condition, newest first. */
export function viewInstances(db: Executor, where: SQL | undefined, now: Date, most: number, order = NEWEST) {
  const { lineage: _lineage, tokenHash: _tokenHash, ...columns } = getTableColumns(instances)
  return db
    .select({ ...columns, productCode: products.code, seats, grantedTier: grantedTier(now) })
    .from(instances)
    .innerJoin(products, eq(products.id, instances.productId))
    .where(where)
    .orderBy(order)
    .limit(most)
}

/** @throws Refusal `not_found` */
export async function viewInstance(db: Executor, key: string, now: Date): Promise<InstanceView> {
  const [found] = await viewInstances(db, eq(instances.instanceKey, key), now, 1)
  return found ?? notFound('instance')
}
