// Register and heartbeat over HTTP.
import { createRoute } from '@hono/zod-openapi'
import { heartbeatRoute, registerRoute } from '../../contract/routes.ts'
import { recordHeartbeat } from '../../domain/instance-api/record-heartbeat.ts'
import { registerInstance } from '../../domain/instance-api/register-instance.ts'
import { bearerOf, type Router } from '../routing.ts'

export function mountInstanceRoutes(app: Router): void {
  app.openapi(createRoute(registerRoute), async (c) =>
    c.json(await registerInstance(c.get('ctx'), bearerOf(c), c.req.valid('json')), 200),
  )
  app.openapi(createRoute(heartbeatRoute), async (c) =>
    c.json(await recordHeartbeat(c.get('ctx'), bearerOf(c), c.req.valid('json')), 200),
  )
}
