// Adds what changed in the fleet to the figures. A job's verb. The triggers on `instances` and `activations` wrote the
// changes in the transactions that made them: whatever code or hand changed a row, it is counted.
import { sql } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { transaction } from '../../db/transaction.ts'
import { inChunks } from '../kernel/chunks.ts'
import type { Ctx } from '../kernel/context.ts'
import { addCounts, addMinutes, countsOf, factsOfNow, minutesOf } from './fleet-facts.ts'

const FOLD_LOCK = 5_027_051

/** Folds in chunks until nothing is left, or `signal` is aborted. Who comes second leaves it to the first. */
export async function foldFleet(ctx: Ctx, signal: AbortSignal): Promise<Record<string, number> | null> {
  const instances = await inChunks(ctx, signal, (most) =>
    transaction(ctx.db, (tx) => foldChanges(tx, ctx.clock.now(), most)),
  )
  const age_changes = await inChunks(ctx, signal, (most) => transaction(ctx.db, (tx) => foldAges(tx, most)))
  return instances + age_changes > 0 ? { instances, age_changes } : null
}

/** Waits for nobody: false where another process folds. Held until the transaction ends. */
export async function mayFold(tx: Transaction): Promise<boolean> {
  const [lock] = await tx.execute<{ held: boolean }>(
    sql`select pg_try_advisory_xact_lock(${FOLD_LOCK}) as held`,
  )
  return lock?.held === true
}

/**
 * Counts each changed instance as it is, instead of as it was counted last. A change that commits later than this reads
 * has a row of its own, and is counted then.
 */
async function foldChanges(tx: Transaction, now: Date, most: number): Promise<number> {
  if (!(await mayFold(tx))) return 0
  const [row] = await tx.execute<{ taken: number }>(sql`
    with taken as (
      delete from fleet_changes where id in (select id from fleet_changes order by id limit ${most})
      returning instance_key
    ), keys as materialized (
      select distinct instance_key from taken
    ), facts as materialized (${factsOfNow(now)}), counted as materialized (
      select f.* from fleet_facts f join keys k on k.instance_key = f.instance_key
    ), changes as (${countsOf('facts', 1)} union all ${countsOf('counted', -1)}), added as (${addCounts}),
    gone as (
      delete from fleet_facts f using counted c where f.instance_key = c.instance_key
        and not exists (select from facts n where n.instance_key = c.instance_key)
    ), kept as (
      insert into fleet_facts as known (instance_key, product_id, verified, facets)
      select instance_key, product_id, verified, facets from facts order by instance_key
      on conflict (instance_key) do update set product_id = excluded.product_id, verified = excluded.verified,
        facets = excluded.facets
      where (known.product_id, known.verified, known.facets)
        is distinct from (excluded.product_id, excluded.verified, excluded.facets)
    )
    select count(*)::int as taken from taken`)
  return Number(row?.taken)
}

/** Each row holds the instances of one statement: of a batch of requests, or of one. */
async function foldAges(tx: Transaction, most: number): Promise<number> {
  if (!(await mayFold(tx))) return 0
  const [row] = await tx.execute<{ taken: number }>(sql`
    with taken as (
      delete from fleet_age_changes where id in (select id from fleet_age_changes order by id limit ${most})
      returning *
    ), minutes as (${minutesOf('taken')}), added as (${addMinutes})
    select count(*)::int as taken from taken`)
  return Number(row?.taken)
}
