// An instance as an admin sees it: its own row, the seats that it holds now and what they grant it.
import { eq, getTableColumns, type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../db/client.ts'
import { instances, products } from '../../db/schema/index.ts'
import { notFound } from '../catalog/find-catalog.ts'

export type InstanceView = Awaited<ReturnType<typeof viewInstances>>[number]

/** A seat of the instance that is held at `now`; `a` names the activation. */
export const liveSeat = (now: Date): SQL => sql`(
  a.instance_key = ${instances.instanceKey} and a.ended_at is null
  and a.lease_ends_at > ${now.toISOString()}::timestamptz)`

/** The instances that meet the condition, newest first. */
export function viewInstances(db: Executor, where: SQL | undefined, now: Date, most: number) {
  const { lineage: _lineage, tokenHash: _tokenHash, ...columns } = getTableColumns(instances)
  return db
    .select({
      ...columns,
      productCode: products.code,
      licenseIds: sql<string[]>`(
        select coalesce(jsonb_agg(a.license_id order by a.activated_at desc, a.license_id), '[]')
        from activations a where ${liveSeat(now)})`,
      grantedTier: sql<string | null>`case ${instances.action}
        when 'kill' then null
        when 'downgrade' then ${lowestTier}
        else coalesce((
          select t.code from activations a join licenses l on l.id = a.license_id join tiers t on t.id = l.tier_id
          where ${liveSeat(now)} order by t.rank desc limit 1), ${lowestTier}) end`,
    })
    .from(instances)
    .innerJoin(products, eq(products.id, instances.productId))
    .where(where)
    .orderBy(sql`${instances.firstSeenAt} desc nulls last, ${instances.instanceKey} desc nulls last`)
    .limit(most)
}

/** @throws Refusal `not_found` */
export async function viewInstance(db: Executor, key: string, now: Date): Promise<InstanceView> {
  const [found] = await viewInstances(db, eq(instances.instanceKey, key), now, 1)
  return found ?? notFound('instance')
}

const lowestTier = sql`(
  select t.code from tiers t where t.product_id = ${instances.productId} order by t.rank limit 1)`
