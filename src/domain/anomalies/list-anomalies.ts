// Reads anomalies for an admin: one, or pages of them.
import { and, eq, getTableColumns, isNotNull, isNull, lt, ne, type SQL, sql } from 'drizzle-orm'
import type { AnomalyQuery } from '../../contract/admin-anomalies.schema.ts'
import type { Executor } from '../../db/client.ts'
import { anomalies, instances, products, relays } from '../../db/schema/index.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { decodeCursor, type Page, pageOf, UUID_PART } from '../kernel/paging.ts'

export type AnomalyView = Awaited<ReturnType<typeof viewAnomalies>>[number]

/** @throws Refusal `not_found` */
export async function getAnomaly(ctx: Ctx, id: string): Promise<AnomalyView> {
  requireRole(ctx, 'auditor')
  return viewAnomaly(ctx.db, uuidOf('ano', id, 'anomaly'))
}

/** Newest first, by when they were opened. A filter that nothing meets is an empty page. */
export async function listAnomalies(ctx: Ctx, query: AnomalyQuery): Promise<Page<AnomalyView>> {
  requireRole(ctx, 'auditor')
  const { after, type, severity, product, instance, relay, verified, state } = query
  const where = and(
    after === undefined ? undefined : lt(anomalies.id, decodeCursor(after, UUID_PART)[0]),
    type === undefined ? undefined : eq(anomalies.type, type),
    severity === undefined ? undefined : eq(anomalies.severity, severity),
    product === undefined ? undefined : eq(products.code, product),
    instance === undefined ? undefined : eq(anomalies.instanceKey, uuidOf('ins', instance, 'instance')),
    relay === undefined ? undefined : eq(anomalies.instanceKey, uuidOf('rly', relay, 'relay')),
    verified === undefined ? undefined : (verified ? ne : eq)(anomalies.proof, 'none'),
    inState(state),
  )
  const rows = await viewAnomalies(ctx.db, where, query.limit + 1)
  return pageOf(rows, query.limit, (row) => [row.id])
}

/** Not about a relay, nor about the whole fleet of a product. */
export const isOfInstance = ({ relayName, type }: AnomalyView): boolean =>
  relayName === null && type !== 'fleet_silent'

/** @throws Refusal `not_found` */
export async function viewAnomaly(db: Executor, id: string): Promise<AnomalyView> {
  const [found] = await viewAnomalies(db, eq(anomalies.id, id), 1)
  return found ?? notFound('anomaly')
}

function viewAnomalies(db: Executor, where: SQL | undefined, most: number) {
  return db
    .select({
      ...getTableColumns(anomalies),
      productCode: products.code,
      instanceId: instances.instanceId,
      relayName: relays.name,
    })
    .from(anomalies)
    .innerJoin(products, eq(products.id, anomalies.productId))
    .leftJoin(instances, eq(instances.instanceKey, anomalies.instanceKey))
    .leftJoin(relays, and(eq(anomalies.type, 'relay_cloned'), eq(relays.id, anomalies.instanceKey)))
    .where(where)
    .orderBy(sql`${anomalies.id} desc nulls last`)
    .limit(most)
}

function inState(state: AnomalyQuery['state']): SQL | undefined {
  switch (state) {
    case 'open':
      return isNull(anomalies.resolvedAt)
    case 'resolved':
      return isNotNull(anomalies.resolvedAt)
    case 'all':
      return undefined
  }
}
