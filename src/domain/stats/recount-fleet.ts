// Counts the whole fleet anew each night, and corrects the figures where they have drifted. A job's verb: a drift is a
// fault of this program, or somebody changed the sums by hand, so it is logged.
import { type SQL, sql } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { transaction } from '../../db/transaction.ts'
import type { Ctx } from '../kernel/context.ts'
import { markLapsedSeats } from '../rights/mark-lapsed.ts'
import { addCounts, addMinutes, countsOf, factsOfNow, minutesOf } from './fleet-facts.ts'
import { mayFold } from './fold-fleet.ts'

const CHUNK = 5_000
const MINUTES_OF_A_DAY = 1_440
/** Older than any bound of the figures: from here on a day is fine enough. */
const FINE_DAYS = 31

type Count = { product_id: string; facet: string; value: string; instances: number; verified: number }
/** What a recount comes to, by product, facet and value. */
type Counts = Map<string, Count>

interface Recount {
  /** Instances that were looked at. */
  looked: number
  /** Instances that are not counted as they are, and that no waiting change names. */
  wrong: string[]
  counts: Counts
  ages: Counts
}

/**
 * Reads in chunks, all of one snapshot, so that what changes meanwhile is on neither side; writes nothing but the
 * differences. Returns null when it was stopped, or when another process folds.
 */
export async function recountFleet(ctx: Ctx, signal: AbortSignal): Promise<Record<string, number> | null> {
  const now = ctx.clock.now()
  // Seats that ran out and are not marked yet would look like a drift.
  await markLapsedSeats(ctx, signal)
  const read = await transaction(ctx.db, async (tx) => {
    await tx.execute(sql`set transaction isolation level repeatable read, read only`)
    return readFleet(tx, now, signal)
  })
  if (read === null) return null
  const drift = read.wrong.length + read.counts.size + read.ages.size
  if (drift > 0) ctx.log.warn({ drift, instances: read.wrong.length }, 'figures of the fleet corrected')
  await transaction(ctx.db, (tx) => correct(tx, now, read))
  return { looked: read.looked, drift }
}

async function readFleet(tx: Transaction, now: Date, signal: AbortSignal): Promise<Recount | null> {
  const read: Recount = { looked: 0, wrong: [], counts: new Map(), ages: new Map() }
  for (let after: string | null = null; ; ) {
    if (signal.aborted) return null
    const rows: (Count & { kind: string })[] = await tx.execute(chunk(after, now))
    for (const row of rows) {
      if (row.kind === 'end') after = row.value
      if (row.kind === 'looked') read.looked += Number(row.instances)
      if (row.kind === 'wrong') read.wrong.push(row.value)
      if (row.kind === 'count') add(read.counts, row, 1)
      if (row.kind === 'age') add(read.ages, row, 1)
    }
    if (!rows.some(({ kind }) => kind === 'end')) break
  }
  for (const row of await tx.execute<Count>(sql`
    select product_id, facet, value, instances::int, verified::int from fleet_counts`)) {
    add(read.counts, row, -1)
  }
  for (const row of await tx.execute<Count>(sql`
    with minutes as (
      select product_id, minute, instances, verified from fleet_ages
      union all ${minutesOf('fleet_age_changes')}
    )
    select product_id, '' as facet, minute::text as value, sum(instances)::int as instances,
      sum(verified)::int as verified
    from (select product_id, ${coarse(sql`minute`, now)} as minute, instances, verified from minutes) m
    group by product_id, minute`)) {
    add(read.ages, row, -1)
  }
  for (const counts of [read.counts, read.ages]) {
    for (const [name, { instances, verified }] of counts) {
      if (instances === 0 && verified === 0) counts.delete(name)
    }
  }
  return read
}

/** Sums of one chunk in the order of keys, of instances and of what is counted of them; `end` where it is full. */
function chunk(after: string | null, now: Date): SQL {
  const following = (column: SQL) => (after === null ? sql`true` : sql`${column} > ${after}::uuid`)
  return sql`
    with page as materialized (
      select instance_key from (
        (select instance_key from instances where ${following(sql`instance_key`)} order by 1 limit ${CHUNK})
        union
        (select instance_key from fleet_facts where ${following(sql`instance_key`)} order by 1 limit ${CHUNK})
      ) both_sides order by 1 limit ${CHUNK}
    ), keys as (select instance_key from page), facts as materialized (${factsOfNow(now)}),
    counted as materialized (
      select f.* from fleet_facts f join keys k on k.instance_key = f.instance_key
    ), last as (
      select instance_key from page order by 1 desc limit 1
    )
    select 'looked' as kind, null::uuid as product_id, '' as facet, '' as value, count(*)::int as instances,
      0 as verified
    from facts
    union all
    select 'end', null, '', instance_key::text, 0, 0 from last where (select count(*) from page) = ${CHUNK}
    union all
    select 'wrong', null, '', instance_key::text, 0, 0
    from facts f full join counted c using (instance_key)
    where (f.product_id, f.verified, f.facets) is distinct from (c.product_id, c.verified, c.facets)
      and not exists (select from fleet_changes w where w.instance_key = coalesce(f.instance_key, c.instance_key))
    union all
    select 'count', product_id, facet, value, sum(instances)::int, sum(verified)::int
    from (${countsOf('counted', 1)}) c group by product_id, facet, value
    union all
    select 'age', product_id, '', minute::text, count(*)::int, (count(*) filter (where verified))::int
    from (
      select i.product_id, i.proof <> 'none' as verified,
        ${coarse(sql`fleet_minute(i.last_seen_at)`, now)} as minute
      from keys k join instances i on i.instance_key = k.instance_key where i.deactivated_at is null
    ) a group by product_id, minute`
}

const finestMinute = (now: Date): number =>
  Math.floor(now.getTime() / 60_000 / MINUTES_OF_A_DAY - FINE_DAYS) * MINUTES_OF_A_DAY

/** The minute, or the first one of its day where that is long ago. */
const coarse = (minute: SQL, now: Date): SQL => sql`(case when ${minute} < ${finestMinute(now)}::int
  then ${minute} / ${MINUTES_OF_A_DAY}::int * ${MINUTES_OF_A_DAY}::int else ${minute} end)`

function add(counts: Counts, row: Count, sign: 1 | -1): void {
  const name = `${row.product_id} ${row.facet} ${row.value}`
  const known = counts.get(name)
  const [instances, verified] = [sign * Number(row.instances), sign * Number(row.verified)]
  if (known) {
    known.instances += instances
    known.verified += verified
  } else counts.set(name, { ...row, instances, verified })
}

/** Adds the differences: what was folded since is added too, so neither undoes the other. */
async function correct(tx: Transaction, now: Date, { wrong, counts, ages }: Recount): Promise<void> {
  const rows = (of: Counts) => JSON.stringify([...of.values()])
  await tx.execute(sql`
    insert into fleet_changes (instance_key) select value::uuid
    from jsonb_array_elements_text(${JSON.stringify(wrong)}::jsonb)`)
  await tx.execute(sql`
    with changes as (
      select * from jsonb_to_recordset(${rows(counts)}::jsonb)
        as c(product_id uuid, facet text, value text, instances int, verified int)
    ) ${addCounts}`)
  await tx.execute(sql`
    with minutes as (
      select product_id, value::int as minute, instances, verified from jsonb_to_recordset(${rows(ages)}::jsonb)
        as a(product_id uuid, value text, instances int, verified int)
    ) ${addMinutes}`)
  if (!(await mayFold(tx))) return
  await tx.execute(sql`delete from fleet_counts where instances = 0 and verified = 0`)
  await tx.execute(sql`
    with old as (
      delete from fleet_ages where minute < ${finestMinute(now)}::int or (instances = 0 and verified = 0)
      returning product_id, ${coarse(sql`minute`, now)} as minute, instances, verified
    )
    insert into fleet_ages (product_id, minute, instances, verified)
    select product_id, minute, sum(instances), sum(verified) from old
    group by product_id, minute having sum(instances) <> 0 or sum(verified) <> 0`)
}
