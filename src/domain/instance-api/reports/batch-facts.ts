// Reads what a batch of reports is judged by, in a constant number of statements whatever the batch's size.
import { and, eq, gt, type SQL, sql } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import type { MetricMap } from '../../../contract/catalog.ts'
import type { Transaction } from '../../../db/client.ts'
import { activations, instances, licenses, products, reportStreams, tiers } from '../../../db/schema/index.ts'
import type { TierFacts } from '../../anomalies/rules.ts'
import type { InstanceRow } from '../../fleet/touch-instance.ts'
import type { Stream } from './count-report.ts'
import { parseSequenceSet } from './sequence-set.ts'

export interface ProductFacts {
  id: string
  code: string
  metricMap: MetricMap
  /** By rank, lowest first. */
  tiers: TierFacts[]
}

/** A license whose lease the instance still holds, grace included. */
export interface HeldLicense {
  instanceKey: string
  licenseId: string
  /** Null while the seat is held; a lease outlives a seat that was ended. */
  endedAt: Date | null
  leaseEndsAt: Date
  tier: TierFacts
  licenseLimits: Record<string, number>
}

/** The products by code. */
export async function readProducts(
  tx: Transaction,
  codes: readonly string[],
): Promise<Map<string, ProductFacts>> {
  const rows = await tx
    .select({
      id: products.id,
      code: products.code,
      metricMap: products.metricMap,
      // `products.id` in plain text: drizzle would leave the table's name out of a select from one table.
      tiers: sql<TierFacts[]>`coalesce((
        select jsonb_agg(jsonb_build_object('code', t.code, 'rank', t.rank, 'features', to_jsonb(t.features),
          'limits', t.limits) order by t.rank)
        from tiers t where t.product_id = products.id), '[]')`,
    })
    .from(products)
    .where(anyOf(products.code, codes))
  return new Map(rows.map((row) => [row.code, row]))
}

export interface NewInstance {
  instanceKey: string
  productId: string
  instanceId: string
  actionSeq: number
}

/** Makes unknown instances known and returns their keys. In key order: two batches in opposite order cannot deadlock. */
export async function insertUnknown(
  tx: Transaction,
  rows: readonly NewInstance[],
  now: Date,
): Promise<string[]> {
  const inserted = await tx.execute<{ instance_key: string }>(sql`
    insert into instances (instance_key, product_id, instance_id, metrics, feature_usage, first_seen_at,
      last_seen_at, action, action_seq, proof)
    select r."instanceKey", r."productId", r."instanceId", '{}', '{}', ${now.toISOString()}::timestamptz,
      ${now.toISOString()}::timestamptz, 'none', r."actionSeq", 'none'
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as r("instanceKey" uuid, "productId" uuid, "instanceId" text, "actionSeq" bigint)
    order by r."instanceKey"
    on conflict (instance_key) do nothing
    returning instance_key`)
  return inserted.map((row) => row.instance_key)
}

/** The instances by key, their rows locked in key order until the transaction ends. */
export async function lockInstances(
  tx: Transaction,
  keys: readonly string[],
): Promise<Map<string, InstanceRow>> {
  const rows = await tx
    .select()
    .from(instances)
    .where(anyOf(instances.instanceKey, keys))
    .orderBy(instances.instanceKey)
    .for('update')
  return new Map(rows.map((row) => [row.instanceKey, row]))
}

/** What the instances hold, highest tier first. */
export async function readHeldLicenses(
  tx: Transaction,
  keys: readonly string[],
  now: Date,
): Promise<HeldLicense[]> {
  return tx
    .select({
      instanceKey: activations.instanceKey,
      licenseId: activations.licenseId,
      endedAt: activations.endedAt,
      leaseEndsAt: activations.leaseEndsAt,
      tier: { code: tiers.code, rank: tiers.rank, features: tiers.features, limits: tiers.limits },
      licenseLimits: licenses.limits,
    })
    .from(activations)
    .innerJoin(licenses, eq(licenses.id, activations.licenseId))
    .innerJoin(tiers, eq(tiers.id, licenses.tierId))
    .where(and(anyOf(activations.instanceKey, keys), gt(activations.leaseEndsAt, now)))
    .orderBy(sql`${tiers.rank} desc`, activations.licenseId)
}

/** Streams by `instance_key boot_id`. The instances' locks cover them. */
export async function readStreams(
  tx: Transaction,
  keys: readonly string[],
  bootIds: readonly string[],
): Promise<Map<string, Stream>> {
  const rows = await tx
    .select()
    .from(reportStreams)
    .where(and(anyOf(reportStreams.instanceKey, keys), anyOf(reportStreams.bootId, bootIds)))
  return new Map(
    rows.map((row) => [
      streamKey(row.instanceKey, row.bootId),
      { lastSeq: row.lastSeq, seen: parseSequenceSet(row.seen), counters: row.counters },
    ]),
  )
}

export const streamKey = (instanceKey: string, bootId: string): string => `${instanceKey} ${bootId}`

/** `column = any(list)` with the list as one parameter, so that the statement's text never changes. */
function anyOf(column: PgColumn, values: readonly string[]): SQL {
  return sql`${column} in (select value::${sql.raw(column.getSQLType())} from jsonb_array_elements_text(${JSON.stringify(values)}::jsonb))`
}
