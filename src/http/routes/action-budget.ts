// The action budget over HTTP.
import { createRoute } from '@hono/zod-openapi'
import { budgetStandingRoute, liftBudgetRoute } from '../../contract/admin-action-budget.routes.ts'
import type { BudgetAnswer } from '../../contract/admin-action-budget.schema.ts'
import { liftBudget } from '../../domain/action-budget/lift-budget.ts'
import { type BudgetStanding, readStanding } from '../../domain/action-budget/read-standing.ts'
import { rfc3339 } from '../../platform/time.ts'
import type { Router } from '../routing.ts'

export function mountActionBudgetRoutes(app: Router): void {
  app.openapi(createRoute(budgetStandingRoute), async (c) => {
    return c.json(shown(await readStanding(c.get('ctx'))), 200)
  })
  app.openapi(createRoute(liftBudgetRoute), async (c) => {
    return c.json(shown(await liftBudget(c.get('ctx'), c.req.valid('json'))), 200)
  })
}

const shown = (standing: BudgetStanding): BudgetAnswer => ({
  per_key: standing.budget?.perKey ?? null,
  in_all: standing.budget?.inAll ?? null,
  used: standing.used,
  resets_at: standing.resetsAt && rfc3339(standing.resetsAt),
  lifted_until: standing.liftedUntil && rfc3339(standing.liftedUntil),
  keys: standing.keys.map((key) => ({
    admin_key_id: key.adminKeyId,
    used: key.used,
    resets_at: key.resetsAt && rfc3339(key.resetsAt),
    lifted_until: key.liftedUntil && rfc3339(key.liftedUntil),
  })),
})
