// The telemetry batch over HTTP.
import { createRoute } from '@hono/zod-openapi'
import { telemetryRoute } from '../../contract/routes.ts'
import { type Router, requiredBearer } from '../routing.ts'
import { recordTelemetry } from './record-telemetry.ts'

export function mountTelemetryRoutes(app: Router): void {
  app.openapi(createRoute(telemetryRoute), async (c) => {
    const bearer = requiredBearer(c, 'an instance token or a license JWT')
    return c.json(await recordTelemetry(c.get('ctx'), bearer, c.req.valid('json').reports), 200)
  })
}
