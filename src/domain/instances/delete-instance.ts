// Deletes an instance with all that was stored of it. The audit log keeps that it was there, and when it went.
import { eq, sql } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { instances, products } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { rfc3339 } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { spendBudget } from '../kernel/spend-budget.ts'
import { seatIsLive } from '../rights/seat.ts'

/**
 * The instance may come back as one that nobody knows: with no action, no token, no tombstone, and on no session of
 * before. A killed instance would come back alive, so its deletion has to say that it is meant. Sums over the whole
 * fleet, which name no instance, stay. Where it takes a seat that is in use, it counts against the action budget.
 * @throws Refusal `not_found`, `confirmation_required` while it is killed, `action_budget_exceeded`
 */
export async function deleteInstance(
  ctx: Ctx,
  id: string,
  { confirm }: { confirm?: 'killed' | undefined },
): Promise<void> {
  requireRole(ctx, 'operator')
  const key = uuidOf('ins', id, 'instance')
  await transaction(ctx.db, async (tx) => {
    const [row] = await tx
      .select({
        instanceId: instances.instanceId,
        productId: instances.productId,
        product: products.code,
        action: instances.action,
        firstSeenAt: instances.firstSeenAt,
      })
      .from(instances)
      .innerJoin(products, eq(products.id, instances.productId))
      .where(eq(instances.instanceKey, key))
      .for('update', { of: instances })
    if (!row) return notFound('instance')
    if (row.action === 'kill' && confirm !== 'killed') throw isKilled()
    await holdLicensesOf(tx, key)
    const { live_seats, ...deleted } = await deleteRows(tx, key, ctx.clock.now())
    if (live_seats && row.action !== 'kill') await spendBudget(tx, ctx, 1)
    await recordChange(tx, ctx, {
      action: 'instance.delete',
      subject: id,
      event: 'instance.changed',
      details: {
        product: row.product,
        instance_id: row.instanceId,
        action: row.action,
        first_seen_at: rfc3339(row.firstSeenAt),
        deleted,
      },
      scope: { productId: row.productId, instanceKey: key },
    })
  })
}

/** Whoever ends a seat holds its license's row: the number of seats that are taken changes with it. */
async function holdLicensesOf(tx: Transaction, key: string): Promise<void> {
  await tx.execute(sql`
    select l.id from licenses l
    where l.id in (select a.license_id from activations a where a.instance_key = ${key}::uuid)
    order by l.id for no key update`)
}

/**
 * One statement; the tables that grow are found by the head of their primary key. A relay that still serves the
 * instance tells of its lease again. A seat whose lease could still be shown leaves its number behind, so that no
 * license JWT of before is taken for one that a restored database has lost (T8, T12).
 */
async function deleteRows(tx: Transaction, key: string, now: Date): Promise<Record<string, number>> {
  const [counts] = await tx.execute<Record<string, number>>(sql`
    with activation as (
      delete from activations where instance_key = ${key}::uuid
      returning license_id, id, lease_ends_at, ended_at, lapsed
    ), freed as (
      update seat_bounds b set taken = greatest(0, b.taken - 1) from activation a
      where b.license_id = a.license_id and ${seatIsLive(now)}
    ), forgotten as (
      insert into forgotten_seats as known (instance_key, license_id, seat_id, lease_ends_at)
      select ${key}::uuid, license_id, id, lease_ends_at from activation
      where lease_ends_at > ${now.toISOString()}::timestamptz
      on conflict (instance_key, license_id) do update set
        seat_id = excluded.seat_id, lease_ends_at = greatest(known.lease_ends_at, excluded.lease_ends_at)
    ), report as (
      delete from reports where instance_key = ${key}::uuid returning 1
    ), stream as (
      delete from report_streams where instance_key = ${key}::uuid returning 1
    ), presence as (
      delete from telemetry_presence where instance_key = ${key}::uuid returning 1
    ), anomaly as (
      delete from anomalies where instance_key = ${key}::uuid returning 1
    ), relayed as (
      delete from relay_leases where instance_key = ${key}::uuid returning 1
    ), binding as (
      update static_jwts set bound_instance_key = null where bound_instance_key = ${key}::uuid returning 1
    ), offline as (
      delete from offline_activations where instance_key = ${key}::uuid returning 1
    ), instance as (
      delete from instances where instance_key = ${key}::uuid
    )
    select (select count(*)::int from activation) as activations, (select count(*)::int from report) as reports,
      (select count(*)::int from stream) as report_streams, (select count(*)::int from anomaly) as anomalies,
      (select count(*)::int from presence) as telemetry_presence,
      (select count(*)::int from relayed) as relay_leases,
      (select count(*)::int from offline) as offline_activations,
      (select count(*)::int from binding) as jwt_bindings,
      (select count(*)::int from activation a where ${seatIsLive(now)}) as live_seats`)
  return { ...counts }
}

const isKilled = () =>
  new Refusal('confirmation_required', 'The instance is killed: deleting it would lift the kill.', {
    facts: { reason: 'instance_killed', action: 'kill' },
    fix:
      'Deleted, it may register again as an unknown instance, with no action set. Keep it, or repeat with ' +
      '?confirm=killed; to keep its customer out, suspend the license too.',
  })
