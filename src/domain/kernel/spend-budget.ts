// The action budget: how much one admin key, and all of them, may take within an hour. A stolen key must not kill a fleet.
import { sql } from 'drizzle-orm'
import type { Executor, Transaction } from '../../db/client.ts'
import { actionSpending } from '../../db/schema/index.ts'
import { parsePublicId, uuidv7 } from '../../platform/ids.ts'
import { addSeconds, HOUR_SECONDS, rfc3339 } from '../../platform/time.ts'
import { type ActionBudget, type Ctx, Refusal } from './context.ts'

const BUDGET_LOCK = 5_027_040
/** The window slides: what was spent counts for so long. */
export const BUDGET_WINDOW = HOUR_SECONDS

/**
 * Counts `n` things that something is taken from: an instance killed, downgraded, or deleted with a seat in use, a seat
 * in use released, a license suspended, revoked, lowered in its terms or bound to another machine, a credential revoked,
 * an API key ended sooner than an overlap allows. Call it in the transaction of the effect, once the rows are changed or locked
 * and before recordChange: with the effect it is undone, and the locks keep their order. Free for the system actor, for
 * `n` of 0, and while an owner has lifted the budget. A bulk verb calls it once, with the number of instances it
 * changes. `none` and reinstating are free: do not call it.
 * @throws Refusal `action_budget_exceeded` with `reason` (`per_key`, `in_all`), the limits and `resets_at`; with
 * `over_budget_size`, and no time to come back at, for more than a whole budget.
 */
export async function spendBudget(tx: Transaction, ctx: Ctx, n: number): Promise<void> {
  const budget = ctx.settings.actionBudget
  if (ctx.actor.kind === 'system' || budget === null || n === 0) return
  const keyId = parsePublicId('adm', ctx.actor.id)
  if (keyId === null) throw new Error('only admins and the system take anything')
  const now = ctx.clock.now()
  // Until commit: of many at once, each counts what the one before it spent.
  await tx.execute(sql`select pg_advisory_xact_lock(${BUDGET_LOCK})`)
  if (await isLifted(tx, ctx.actor.id, now)) return
  const spent = await spendingSince(tx, addSeconds(now, -BUDGET_WINDOW))
  refuseTooBig(budget, total(spent), n)
  const own = spent.filter(({ adminKeyId }) => adminKeyId === keyId)
  refuseOver(budget, 'per_key', own, n, now)
  refuseOver(budget, 'in_all', spent, n, now)
  await tx
    .insert(actionSpending)
    .values({ id: uuidv7(now, ctx.random), adminKeyId: keyId, at: now, amount: n })
}

export interface Spending {
  adminKeyId: string
  at: Date
  amount: number
}

/** Oldest first. As many rows as the budget at most, but for what was spent before it was lowered. */
export async function spendingSince(db: Executor, since: Date): Promise<Spending[]> {
  return db
    .select({
      adminKeyId: actionSpending.adminKeyId,
      at: actionSpending.at,
      amount: actionSpending.amount,
    })
    .from(actionSpending)
    .where(sql`${actionSpending.at} > ${since.toISOString()}::timestamptz`)
    .orderBy(actionSpending.at, actionSpending.id)
}

export const total = (spent: readonly Spending[]): number =>
  spent.reduce((sum, { amount }) => sum + amount, 0)

/** When `n` more, at most `limit`, fit below it; null when they already do. */
export function fitsAt(spent: readonly Spending[], limit: number, n: number): Date | null {
  let left = total(spent)
  if (left + n <= limit) return null
  for (const { at, amount } of spent) {
    left -= amount
    if (left + n <= limit) return addSeconds(at, BUDGET_WINDOW)
  }
  const last = spent.at(-1)
  return last ? addSeconds(last.at, BUDGET_WINDOW) : null
}

async function isLifted(tx: Transaction, actorId: string, now: Date): Promise<boolean> {
  const found = await tx.execute(sql`
    select from action_budget_lifts
    where scope in ('all', ${actorId}) and lifted_until > ${now.toISOString()}::timestamptz limit 1`)
  return found.length > 0
}

/** What never fits is told of no time: whoever obeyed it would come back for ever. */
function refuseTooBig({ perKey, inAll }: ActionBudget, used: number, n: number): void {
  const most = Math.min(perKey, inAll)
  if (n <= most) return
  throw new Refusal(
    'action_budget_exceeded',
    `At most ${most} things may be taken from customers within an hour, and this is ${n}.`,
    {
      facts: { reason: 'over_budget_size', per_key: perKey, in_all: inAll, used, wanted: n },
      fix: 'This is more than the whole budget, at any time. An owner lifts it for an hour: POST /api/v1/admin/action-budget/lift.',
    },
  )
}

function refuseOver(
  budget: ActionBudget,
  reason: 'per_key' | 'in_all',
  spent: readonly Spending[],
  n: number,
  now: Date,
): void {
  const limit = reason === 'per_key' ? budget.perKey : budget.inAll
  const used = total(spent)
  if (used + n <= limit) return
  const resetsAt = fitsAt(spent, limit, n) ?? now
  const wait = Math.max(1, Math.ceil((resetsAt.getTime() - now.getTime()) / 1000))
  const whose = reason === 'per_key' ? 'an admin key' : 'all admin keys together'
  throw new Refusal(
    'action_budget_exceeded',
    `Within an hour ${whose} may take from customers ${limit} times. ${used} are used, and this is ${n} more.`,
    {
      facts: {
        reason,
        per_key: budget.perKey,
        in_all: budget.inAll,
        used,
        wanted: n,
        resets_at: rfc3339(resetsAt),
      },
      fix: `Try again at ${rfc3339(resetsAt)}, or let an owner lift the budget for an hour: POST /api/v1/admin/action-budget/lift.`,
      headers: { 'Retry-After': String(wait) },
    },
  )
}
