// Exchange and refresh over HTTP.
import { createRoute } from '@hono/zod-openapi'
import { exchangeRoute, refreshRoute } from '../../contract/routes.ts'
import { exchangeApiKey } from '../../domain/instance-api/exchange-api-key.ts'
import { refreshLicenseJwt } from '../../domain/instance-api/refresh-license-jwt.ts'
import { type Router, requireBearer, requiredBearer } from '../routing.ts'

export function mountTokenRoutes(app: Router): void {
  const apiKey = requireBearer(['api_key'], 'an API key')
  app.openapi(createRoute({ ...exchangeRoute, middleware: apiKey }), async (c) => {
    const bearer = requiredBearer(c, 'an API key')
    return c.json(await exchangeApiKey(c.get('ctx'), bearer, c.req.valid('json')), 200)
  })
  const licenseJwt = requireBearer(['jwt'], 'a license JWT')
  app.openapi(createRoute({ ...refreshRoute, middleware: licenseJwt }), async (c) => {
    const bearer = requiredBearer(c, 'a license JWT')
    return c.json(await refreshLicenseJwt(c.get('ctx'), bearer, c.req.valid('json')), 200)
  })
}
