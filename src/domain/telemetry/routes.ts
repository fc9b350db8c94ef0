// The telemetry batch over HTTP.
import { createRoute } from '@hono/zod-openapi'
import { telemetryRoute } from '../../contract/routes.ts'
import { type Router, requireBearer, requiredBearer } from '../routing.ts'
import { recordTelemetry } from './record-telemetry.ts'

export function mountTelemetryRoutes(app: Router): void {
  const proof = requireBearer(['jwt', 'instance_token'], 'an instance token or a license JWT')
  app.openapi(createRoute({ ...telemetryRoute, middleware: proof }), async (c) => {
    const bearer = requiredBearer(c, 'an instance token or a license JWT')
    return c.json(await recordTelemetry(c.get('ctx'), bearer, c.req.valid('json').reports), 200)
  })
}
