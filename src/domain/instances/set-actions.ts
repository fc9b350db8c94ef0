// Sets one action on all instances that meet a filter. The number that a preview showed is the confirmation.
import { and, eq, sql } from 'drizzle-orm'
import type { BulkActionOrder } from '../../contract/admin-instances.schema.ts'
import type { Action } from '../../contract/claims.ts'
import type { Transaction } from '../../db/client.ts'
import { instances, products } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { publicId } from '../../platform/ids.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { recordChanges } from '../kernel/record-change.ts'
import { spendBudget } from '../kernel/spend-budget.ts'
import { actionDue, keptReason } from './action-due.ts'
import { hintsOf } from './filter-hints.ts'
import { meetsFilter } from './instance-filter.ts'

/** Instances of one call: few enough that nobody waits long for their rows. */
export const MOST_INSTANCES = 1_000

export interface BulkOutcome {
  matched: number
  /** Those that had another action, or another reason for it. */
  changed: ChangedInstance[]
}

export interface ChangedInstance {
  instanceKey: string
  instanceId: string
  product: string
  productId: string
  seq: number
}

/**
 * All or none, in a number of statements that does not depend on theirs. Each has a number, an audit row and an event
 * of its own, as if it were set alone.
 * @throws Refusal `confirmation_required` unless `expect` is how many match now; `invalid_request` above the most;
 * `action_budget_exceeded`.
 */
export async function setActions(ctx: Ctx, order: BulkActionOrder): Promise<BulkOutcome> {
  requireRole(ctx, 'operator')
  const { action, reason } = order
  return transaction(ctx.db, async (tx) => {
    const matching = await lockMatching(tx, ctx, order)
    const changed = await update(tx, ctx, matching, order)
    // Another reason for the action that is set already takes nothing more.
    const taken = matching.filter((row) => action !== 'none' && row.action !== action)
    await spendBudget(tx, ctx, taken.length)
    await recordChanges(
      tx,
      ctx,
      changed.map((row) => ({
        action: 'instance.action',
        subject: publicId('ins', row.instanceKey),
        event: 'action.changed',
        reason,
        details: {
          action,
          seq: row.seq,
          product: row.product,
          instance_id: row.instanceId,
          bulk: matching.length,
        },
        scope: { productId: row.productId, instanceKey: row.instanceKey },
      })),
    )
    return { matched: matching.length, changed }
  })
}

interface Matching {
  key: string
  /** The one that is set before. */
  action: Action
}

/** In key order, as every batch locks them: two in opposite order cannot deadlock. */
async function lockMatching(
  tx: Transaction,
  ctx: Ctx,
  { filter, expect }: BulkActionOrder,
): Promise<Matching[]> {
  const now = ctx.clock.now()
  const rows = await tx
    .select({ key: instances.instanceKey, action: instances.action })
    .from(instances)
    .innerJoin(products, eq(products.id, instances.productId))
    .where(and(meetsFilter(ctx, filter, now), hintsOf(filter, now)))
    .orderBy(instances.instanceKey)
    .limit(MOST_INSTANCES + 1)
    .for('update', { of: instances })
  if (rows.length > MOST_INSTANCES) throw tooMany()
  if (rows.length !== expect) throw unconfirmed(rows.length, expect)
  return rows
}

async function update(
  tx: Transaction,
  ctx: Ctx,
  matching: readonly Matching[],
  order: BulkActionOrder,
): Promise<ChangedInstance[]> {
  const now = ctx.clock.now()
  const keys = JSON.stringify(matching.map(({ key }) => key))
  const rows = await tx.execute<Record<keyof ChangedInstance, string>>(sql`
    update instances set action = ${order.action}, action_reason = ${keptReason(order)}::text,
      action_seq = greatest(instances.action_seq + 1, ${now.getTime()}::bigint),
      action_set_at = ${now.toISOString()}::timestamptz, action_delivered_at = null, action_acknowledged_at = null
    from products p
    where p.id = instances.product_id
      and instances.instance_key in (select value::uuid from jsonb_array_elements_text(${keys}::jsonb))
      and ${actionDue(order)}
    returning instances.instance_key as "instanceKey", instances.instance_id as "instanceId", p.code as product,
      instances.product_id as "productId", instances.action_seq as seq`)
  return rows
    .map((row) => ({ ...row, seq: Number(row.seq) }))
    .sort((a, b) => (a.instanceKey < b.instanceKey ? -1 : 1))
}

const tooMany = () =>
  new Refusal('invalid_request', `More than ${MOST_INSTANCES} instances match.`, {
    facts: {
      reason: 'too_many_instances',
      limit: MOST_INSTANCES,
      errors: [{ pointer: '/filter', message: `matches more than ${MOST_INSTANCES} instances` }],
    },
    fix: 'Narrow the filter, by version or by last_seen_before, and repeat; to stop a whole license, suspend it.',
  })

const unconfirmed = (matched: number, expect: number | undefined) =>
  new Refusal(
    'confirmation_required',
    expect === undefined
      ? `${matched} instances match: say in expect how many you mean.`
      : `${matched} instances match, and ${expect} were expected.`,
    {
      facts: { reason: 'count_differs', matched, expected: expect ?? null },
      fix: 'Look at them with ?dry_run=true, and repeat with expect as the number that it says.',
    },
  )
