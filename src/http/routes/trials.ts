// Trials over HTTP, for anybody.
import { createRoute } from '@hono/zod-openapi'
import { checkTrialRoute, startTrialRoute } from '../../contract/trials.routes.ts'
import { readIdempotencyKey } from '../../domain/idempotency/read-key.ts'
import { checkTrial } from '../../domain/trials/check-trial.ts'
import { startTrial } from '../../domain/trials/start-trial.ts'
import type { Router } from '../routing.ts'

/** The key is all that a stranger who knows the address would have to guess. */
const LEAST_OF_KEY = 16

export function mountTrialRoutes(app: Router): void {
  app.openapi(createRoute(startTrialRoute), async (c) => {
    const header = c.req.header('Idempotency-Key')
    const key = header === undefined ? undefined : readIdempotencyKey(header, LEAST_OF_KEY)
    const { answer, replayed } = await startTrial(c.get('ctx'), c.req.valid('json'), key)
    if (replayed) c.header('Idempotent-Replayed', 'true')
    return c.json(answer, 201)
  })
  app.openapi(createRoute(checkTrialRoute), async (c) => {
    return c.json(await checkTrial(c.get('ctx'), c.req.valid('query')), 200)
  })
}
