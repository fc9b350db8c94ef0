// The one way in which reports enter: 1 to 500 at a time, in a constant number of statements, each counted once.

import type { Transaction } from '../../../db/client.ts'
import { lacksPartition } from '../../../db/errors.ts'
import { ensurePartitions, partitionDay } from '../../../db/partitions.ts'
import { transaction } from '../../../db/transaction.ts'
import { instanceKey, uuidv7 } from '../../../platform/ids.ts'
import { fromUnixSeconds } from '../../../platform/time.ts'
import { foldFindings } from '../../anomalies/fold.ts'
import { recordAnomalies } from '../../anomalies/record-anomalies.ts'
import type { InstanceRow } from '../../fleet/touch-instance.ts'
import type { Ctx } from '../../kernel/context.ts'
import {
  type HeldLicense,
  insertUnknown,
  lockInstances,
  type ProductFacts,
  readHeldLicenses,
  readProducts,
  readStreams,
  streamKey,
} from './batch-facts.ts'
import { type Folded, foldReports } from './fold-reports.ts'
import { bootOf, type Report, streamPosition } from './report.ts'
import { insertReports, updateInstances, upsertStreams } from './write-batch.ts'

export type ReportOutcome =
  | { status: 'accepted'; refreshToken: string; instance: InstanceRow; held: HeldLicense[] }
  | { status: 'duplicate'; refreshToken: string; instance: InstanceRow; held: HeldLicense[] }
  | { status: 'rejected'; error: 'product_unknown' }

/**
 * Records the reports in one transaction and returns what became of each, in their order. A report that cannot be
 * taken is rejected by itself; its neighbours are not touched. Unknown instances become known.
 */
export async function recordReports(ctx: Ctx, reports: readonly Report[]): Promise<ReportOutcome[]> {
  const record = () => transaction(ctx.db, (tx) => recordBatch(tx, ctx, reports))
  try {
    return await record()
  } catch (error) {
    // The job that makes partitions ahead may have been down for days: no report is lost for that.
    if (!lacksPartition(error)) throw error
    await ensurePartitions(ctx.db, ctx.clock.now())
    return record()
  }
}

interface Group {
  product: ProductFacts
  instanceId: string
  reports: { report: Report; index: number }[]
}

async function recordBatch(tx: Transaction, ctx: Ctx, reports: readonly Report[]): Promise<ReportOutcome[]> {
  const now = ctx.clock.now()
  const products = await readProducts(tx, [...new Set(reports.map((report) => report.product))])
  const groups = groupByInstance(reports, products)
  const keys = [...groups.keys()].sort()
  const unknown = keys.flatMap((key) => {
    const group = groups.get(key)
    if (!group) return []
    const { product, instanceId } = group
    return { instanceKey: key, productId: product.id, instanceId, actionSeq: now.getTime() }
  })
  const inserted = new Set(await insertUnknown(tx, unknown, now))
  const newcomers = unknown.filter(
    ({ instanceKey }) => inserted.has(instanceKey) && !isProven(groups.get(instanceKey)),
  )
  await ctx.newcomers?.admit(
    tx,
    ctx,
    newcomers.map(({ productId }) => productId),
  )
  let rows = await lockInstances(tx, keys)
  if (rows.size < keys.length) {
    // Deleted by an admin between the two statements: unknown once more.
    await insertUnknown(tx, unknown, now)
    rows = await lockInstances(tx, keys)
  }
  const held = Map.groupBy(await readHeldLicenses(tx, keys, now), (license) => license.instanceKey)
  const bootIds = new Set(reports.map((report) => streamPosition(report)?.bootId ?? bootOf(report)))
  const streams = await readStreams(tx, keys, [...bootIds])

  const outcomes: ReportOutcome[] = reports.map(() => ({ status: 'rejected', error: 'product_unknown' }))
  const folded: Folded[] = []
  for (const key of keys) {
    const group = groups.get(key)
    const found = rows.get(key)
    if (!group || !found) continue
    // Not heard yet, so that also what a relay delivers late is news.
    const row = inserted.has(key) ? { ...found, lastSeenAt: fromUnixSeconds(0) } : found
    const licenses = held.get(key) ?? []
    const result = foldReports({
      row,
      product: group.product,
      held: licenses,
      reports: group.reports,
      streamOf: (bootId) => streams.get(streamKey(key, bootId)),
      now,
      receivedOn: partitionDay(now),
      newId: () => uuidv7(now, ctx.random),
      scope: { key: ctx.pepper, product: group.product.code, instanceId: group.instanceId },
      random: ctx.random,
    })
    folded.push(result)
    for (const { index, duplicate, refreshToken } of result.outcomes) {
      outcomes[index] = {
        status: duplicate ? 'duplicate' : 'accepted',
        refreshToken,
        instance: { ...row, ...result.update },
        held: licenses.filter((license) => license.endedAt === null),
      }
    }
  }
  await insertReports(
    tx,
    folded.flatMap((result) => result.rows),
  )
  await upsertStreams(
    tx,
    folded.flatMap((result) => result.streams),
    now,
  )
  await updateInstances(
    tx,
    folded.map((result) => result.update),
  )
  await recordAnomalies(tx, ctx, foldFindings(folded.flatMap((result) => result.findings)))
  return outcomes
}

const isProven = (group: Group | undefined): boolean =>
  group?.reports.some(({ report }) => report.proof !== 'none') ?? false

function groupByInstance(
  reports: readonly Report[],
  products: ReadonlyMap<string, ProductFacts>,
): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const [index, report] of reports.entries()) {
    const product = products.get(report.product)
    if (!product) continue
    const key = instanceKey(product.code, report.instanceId)
    const group = groups.get(key) ?? { product, instanceId: report.instanceId, reports: [] }
    group.reports.push({ report, index })
    groups.set(key, group)
  }
  return groups
}
