// The telemetry batch over HTTP, of one instance or of a relay.
import { createRoute } from '@hono/zod-openapi'
import { telemetryRoute } from '../../contract/routes.ts'
import { recordRelayReports } from '../../domain/instance-api/record-relay-reports.ts'
import { recordTelemetry } from '../../domain/instance-api/record-telemetry.ts'
import { type Router, requireBearer, requiredBearer } from '../routing.ts'

const WANTED = 'an instance token, a license JWT or a relay key'

export function mountTelemetryRoutes(app: Router): void {
  const proof = requireBearer(['jwt', 'instance_token', 'relay_key'], WANTED)
  app.openapi(createRoute({ ...telemetryRoute, middleware: proof }), async (c) => {
    const bearer = requiredBearer(c, WANTED)
    const record = bearer.kind === 'relay_key' ? recordRelayReports : recordTelemetry
    return c.json(await record(c.get('ctx'), bearer, c.req.valid('json').reports), 200)
  })
}
