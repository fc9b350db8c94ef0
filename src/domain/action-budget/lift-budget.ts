// Lifts the action budget of one admin key, or of all, for an hour.
import { eq } from 'drizzle-orm'
import type { BudgetLift } from '../../contract/admin-action-budget.schema.ts'
import { actionBudgetLifts, adminKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { addSeconds, HOUR_SECONDS, rfc3339 } from '../../platform/time.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { type BudgetStanding, readStanding } from './read-standing.ts'

const LIFT_SECONDS = HOUR_SECONDS

/** Until then nothing is refused and nothing counted. Lifting it again begins a new hour. @throws Refusal `not_found` */
export async function liftBudget(ctx: Ctx, input: BudgetLift): Promise<BudgetStanding> {
  requireRole(ctx, 'owner')
  const now = ctx.clock.now()
  const liftedUntil = addSeconds(now, LIFT_SECONDS)
  const scope = input.admin_key_id ?? 'all'
  await transaction(ctx.db, async (tx) => {
    if (input.admin_key_id !== undefined) {
      const id = uuidOf('adm', input.admin_key_id, 'admin key')
      const known = await tx.select({ id: adminKeys.id }).from(adminKeys).where(eq(adminKeys.id, id))
      if (known.length === 0) notFound('admin key')
    }
    const lift = { liftedAt: now, liftedUntil }
    await tx
      .insert(actionBudgetLifts)
      .values({ scope, ...lift })
      .onConflictDoUpdate({ target: actionBudgetLifts.scope, set: lift })
    await recordChange(tx, ctx, {
      action: 'action_budget.lift',
      subject: scope,
      event: 'admin.changed',
      reason: input.reason,
      details: { lifted_until: rfc3339(liftedUntil) },
    })
  })
  return readStanding(ctx)
}
