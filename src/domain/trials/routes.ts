// Trials over HTTP, for anybody.
import { createRoute } from '@hono/zod-openapi'
import { checkTrialRoute, startTrialRoute } from '../../contract/trials.routes.ts'
import type { Router } from '../routing.ts'
import { checkTrial } from './check-trial.ts'
import { startTrial } from './start-trial.ts'

export function mountTrialRoutes(app: Router): void {
  app.openapi(createRoute(startTrialRoute), async (c) => {
    return c.json(await startTrial(c.get('ctx'), c.req.valid('json')), 201)
  })
  app.openapi(createRoute(checkTrialRoute), async (c) => {
    return c.json(await checkTrial(c.get('ctx'), c.req.valid('query')), 200)
  })
}
