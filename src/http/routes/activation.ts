// Activate, validate and deactivate over HTTP.
import { createRoute } from '@hono/zod-openapi'
import { activateRoute, deactivateRoute, validateRoute } from '../../contract/routes.ts'
import { activateLicense, validateLicense } from '../../domain/instance-api/activate-license.ts'
import { deactivateLicense } from '../../domain/instance-api/deactivate-license.ts'
import { bearerOf, type Router } from '../routing.ts'

export function mountActivationRoutes(app: Router): void {
  app.openapi(createRoute(activateRoute), async (c) =>
    c.json(await activateLicense(c.get('ctx'), bearerOf(c), c.req.valid('json')), 200),
  )
  app.openapi(createRoute(validateRoute), async (c) =>
    c.json(await validateLicense(c.get('ctx'), bearerOf(c), c.req.valid('json')), 200),
  )
  app.openapi(createRoute(deactivateRoute), async (c) =>
    c.json(await deactivateLicense(c.get('ctx'), bearerOf(c), c.req.valid('json')), 200),
  )
}
