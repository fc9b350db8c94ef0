// What is left of the action budget, and for whom it is lifted.
import { gt } from 'drizzle-orm'
import { actionBudgetLifts } from '../../db/schema/index.ts'
import { publicId } from '../../platform/ids.ts'
import { addSeconds } from '../../platform/time.ts'
import { type ActionBudget, type Ctx, requireRole } from '../kernel/context.ts'
import { BUDGET_WINDOW, fitsAt, type Spending, spendingSince, total } from '../kernel/spend-budget.ts'

export interface KeyStanding {
  /** `adm_…`. */
  adminKeyId: string
  used: number
  /** When one more fits; null when it does now. */
  resetsAt: Date | null
  liftedUntil: Date | null
}

export interface BudgetStanding {
  /** Null: off. */
  budget: ActionBudget | null
  used: number
  resetsAt: Date | null
  liftedUntil: Date | null
  /** Those that spent within the last hour, or for which it is lifted. */
  keys: KeyStanding[]
}

export async function readStanding(ctx: Ctx): Promise<BudgetStanding> {
  requireRole(ctx, 'auditor')
  const budget = ctx.settings.actionBudget
  const now = ctx.clock.now()
  const spent = await spendingSince(ctx.db, addSeconds(now, -BUDGET_WINDOW))
  const rows = await ctx.db.select().from(actionBudgetLifts).where(gt(actionBudgetLifts.liftedUntil, now))
  const lifts = new Map(rows.map(({ scope, liftedUntil }) => [scope, liftedUntil]))
  const spenders = Map.groupBy(spent, ({ adminKeyId }) => publicId('adm', adminKeyId))
  const ids = new Set([...spenders.keys(), ...lifts.keys()].filter((id) => id !== 'all'))
  const standing = (own: readonly Spending[], limit: number | undefined) => ({
    used: total(own),
    resetsAt: limit === undefined ? null : fitsAt(own, limit, 1),
  })
  return {
    budget,
    ...standing(spent, budget?.inAll),
    liftedUntil: lifts.get('all') ?? null,
    keys: [...ids].sort().map((id) => ({
      adminKeyId: id,
      ...standing(spenders.get(id) ?? [], budget?.perKey),
      liftedUntil: lifts.get(id) ?? null,
    })),
  }
}
