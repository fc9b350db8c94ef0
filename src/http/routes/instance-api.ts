// What running copies of a product ask, over HTTP.
import { createRoute } from '@hono/zod-openapi'
import {
  activateRoute,
  deactivateRoute,
  exchangeRoute,
  heartbeatRoute,
  refreshRoute,
  registerRoute,
  telemetryRoute,
  validateRoute,
} from '../../contract/routes.ts'
import { activate, validate } from '../../domain/instance-api/activate.ts'
import { deactivate } from '../../domain/instance-api/deactivate.ts'
import { exchange } from '../../domain/instance-api/exchange.ts'
import type { Pipeline } from '../../domain/instance-api/flow/pipeline.ts'
import { heartbeat } from '../../domain/instance-api/heartbeat.ts'
import { refresh } from '../../domain/instance-api/refresh.ts'
import { register } from '../../domain/instance-api/register.ts'
import { relayTelemetry } from '../../domain/instance-api/relay-telemetry.ts'
import { telemetry } from '../../domain/instance-api/telemetry.ts'
import { bearerOf, type Context, type Router, requireBearer, requiredBearer } from '../routing.ts'

/** Of the process, or of the one request where connections cannot outlive it. */
export type PipelineOf = (c: Context) => Pipeline

const REPORTER = 'an instance token, a license JWT or a relay key'

export function mountInstanceApi(app: Router, pipelineOf: PipelineOf): void {
  const apiKey = requireBearer(['api_key'], 'an API key')
  app.openapi(createRoute({ ...exchangeRoute, middleware: apiKey }), async (c) => {
    const bearer = requiredBearer(c, 'an API key')
    return c.json(await exchange(c.get('ctx'), pipelineOf(c), bearer, c.req.valid('json')), 200)
  })
  const licenseJwt = requireBearer(['jwt'], 'a license JWT')
  app.openapi(createRoute({ ...refreshRoute, middleware: licenseJwt }), async (c) => {
    const bearer = requiredBearer(c, 'a license JWT')
    return c.json(await refresh(c.get('ctx'), pipelineOf(c), bearer, c.req.valid('json')), 200)
  })
  app.openapi(createRoute(registerRoute), async (c) =>
    c.json(await register(c.get('ctx'), pipelineOf(c), bearerOf(c), c.req.valid('json')), 200),
  )
  app.openapi(createRoute(heartbeatRoute), async (c) =>
    c.json(await heartbeat(c.get('ctx'), pipelineOf(c), bearerOf(c), c.req.valid('json')), 200),
  )
  app.openapi(createRoute(activateRoute), async (c) =>
    c.json(await activate(c.get('ctx'), pipelineOf(c), bearerOf(c), c.req.valid('json')), 200),
  )
  app.openapi(createRoute(validateRoute), async (c) =>
    c.json(await validate(c.get('ctx'), pipelineOf(c), bearerOf(c), c.req.valid('json')), 200),
  )
  app.openapi(createRoute(deactivateRoute), async (c) =>
    c.json(await deactivate(c.get('ctx'), pipelineOf(c), bearerOf(c), c.req.valid('json')), 200),
  )
  const reporter = requireBearer(['jwt', 'instance_token', 'relay_key'], REPORTER)
  app.openapi(createRoute({ ...telemetryRoute, middleware: reporter }), async (c) => {
    const bearer = requiredBearer(c, REPORTER)
    const record = bearer.kind === 'relay_key' ? relayTelemetry : telemetry
    return c.json(await record(c.get('ctx'), pipelineOf(c), bearer, c.req.valid('json').reports), 200)
  })
}
