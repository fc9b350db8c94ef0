// Reads whom a preview is about: instances, what they hold, and what that grants. Three or four statements for any number.
import { and, eq, inArray, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import type { Executor, Transaction } from '../../db/client.ts'
import { activations, customers, instances, licenses, products, tiers } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { SORTED } from '../instances/instance-view.ts'
import type { Ctx } from '../kernel/context.ts'
import { licensedRights } from '../rights/granted-rights.ts'
import { licenseColumns } from '../rights/license-facts.ts'
import { standingOf } from '../rights/license-standing.ts'
import { seatIsLive } from '../rights/seat.ts'
import type { Rights, Subject } from './effects.ts'

/** How many instances a preview describes; the count beside them is of all. */
export const PREVIEW_PAGE = 50

export interface Subjects {
  /** All that meet the condition; of more than 2,000 no more are counted, and it says 2,001. */
  count: number
  /** How many of those meet `due`. */
  due: number
  /** The newest of them. */
  page: Subject[]
}

/**
 * Runs `work` in a transaction in which Postgres itself refuses every write, and undoes it: within a transaction that
 * is under way, only so may what follows write again.
 */
export async function readOnly<T>(ctx: Ctx, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const read: { result: T }[] = []
  try {
    await transaction(ctx.db, async (tx) => {
      await tx.execute(sql`set transaction read only`)
      read.splice(0, 1, { result: await work(tx) })
      throw new Undone()
    })
  } catch (error) {
    if (!(error instanceof Undone)) throw error
  }
  const [done] = read
  if (!done) throw new Error('a preview ended without a result')
  return done.result
}

class Undone extends Error {}

/** Instances that are counted one by one. */
const MOST_COUNTED = 2_000
/** Rows of the list of instances that are looked at before the index of the condition is. */
const LOOK_AHEAD = 1_000

/** Conditions over `instances` and `products`. */
export interface SubjectQuery {
  where: SQL | undefined
  /** What follows from `where` and helps where few meet it. */
  hint?: SQL | undefined
  due?: SQL | undefined
  /** How many meet `where`, where somebody counted them; then `due` is not counted. */
  known?: number | undefined
}

export async function readSubjects(
  db: Executor,
  { where, hint, due = sql`true`, known }: SubjectQuery,
  now: Date,
): Promise<Subjects> {
  const many = await readNewest(db, where)
  const page = many ?? (await selectPage(db, and(where, hint)))
  const counted =
    known === undefined
      ? await count(db, many ? where : and(where, hint), due, page.length)
      : { count: known, due: known }
  const seats = await readSeats(
    db,
    page.map((row) => row.instanceKey),
    now,
  )
  return { ...counted, page: page.map((row) => ({ ...row, seats: seats.get(row.instanceKey) ?? [] })) }
}

/** What many meet is found among the newest: null where they do not fill a page, and its own index has to. */
async function readNewest(db: Executor, where: SQL | undefined) {
  const newest = sql`${instances.instanceKey} in (
    select instance_key from instances
    order by first_seen_at desc nulls last, instance_key desc nulls last limit ${LOOK_AHEAD})`
  const rows = await selectPage(db, and(where, newest))
  return rows.length === PREVIEW_PAGE ? rows : null
}

const selectPage = (db: Executor, where: SQL | undefined) =>
  db
    .select({
      instanceKey: instances.instanceKey,
      instanceId: instances.instanceId,
      product: products.code,
      action: instances.action,
      lastSeenAt: instances.lastSeenAt,
      lowest: sql<Rights>`(
        select jsonb_build_object('tier', t.code, 'features', to_jsonb(t.features), 'limits', t.limits)
        from tiers t where t.product_id = ${instances.productId} order by t.rank limit 1)`,
    })
    .from(instances)
    .innerJoin(products, eq(products.id, instances.productId))
    .where(where)
    .orderBy(SORTED)
    .limit(PREVIEW_PAGE)

/** A page that is not full is all there is. */
async function count(db: Executor, where: SQL | undefined, due: SQL, shown: number) {
  if (shown === 0) return { count: 0, due: 0 }
  const found = db
    .select({ due: sql<boolean>`${due}`.as('due') })
    .from(instances)
    .innerJoin(products, eq(products.id, instances.productId))
    .where(where)
    .limit(MOST_COUNTED + 1)
    .as('found')
  const [row] = await db
    .select({
      count: sql<number>`count(*)::int`,
      due: sql<number>`(count(*) filter (where ${found.due}))::int`,
    })
    .from(found)
  return { count: row?.count ?? 0, due: row?.due ?? 0 }
}

async function readSeats(db: Executor, keys: string[], now: Date) {
  if (keys.length === 0) return new Map()
  const a = alias(activations, 'a')
  const rows = await db
    .select({
      ...licenseColumns,
      instanceKey: a.instanceKey,
      leaseEndsAt: a.leaseEndsAt,
      credentialSource: a.credentialSource,
      credentialId: a.credentialId,
    })
    .from(a)
    .innerJoin(licenses, eq(licenses.id, a.licenseId))
    .innerJoin(products, eq(products.id, licenses.productId))
    .innerJoin(tiers, eq(tiers.id, licenses.tierId))
    .innerJoin(customers, eq(customers.id, licenses.customerId))
    .where(and(inArray(a.instanceKey, keys), seatIsLive(now)))
  const seats = rows.map((row) => ({
    instanceKey: row.instanceKey,
    licenseId: row.id,
    credential: { source: row.credentialSource, id: row.credentialId },
    rank: row.tier.rank,
    rights: licensedRights(row),
    inForce: standingOf(row, 0, now).inForce,
    leaseEndsAt: row.leaseEndsAt,
    graceDays: row.graceDays,
  }))
  return Map.groupBy(seats, (seat) => seat.instanceKey)
}
