// The HTTP application: the order of the middleware, the routers, and how errors become problems.
import { OpenAPIHono } from '@hono/zod-openapi'
import { Refusal } from '../domain/kernel/context.ts'
import type { AppDependencies } from './environment.ts'
import { mountHealth } from './health.ts'
import { matchedOperation } from './matched-operation.ts'
import { adminCheck, adminOnly } from './middleware/admin-only.ts'
import { apiRequest } from './middleware/api-request.ts'
import { declaredQuery } from './middleware/declared-query.ts'
import { declaredRole } from './middleware/declared-role.ts'
import { everyRequest } from './middleware/every-request.ts'
import { idempotency } from './middleware/idempotency.ts'
import { mountDocument } from './openapi.ts'
import { methodsOf, operationsOf } from './operations.ts'
import { PathRouter } from './path-router.ts'
import { problemResponse, refuseInvalid } from './problem.ts'
import { mountAdminApi, mountPublicApi } from './routers.ts'
import type { HttpEnv } from './routing.ts'
import { mountSync } from './sync.ts'

/** Builds the app. Holds no state of its own that a request depends on: everything is in `deps`. */
export function createApp(deps: AppDependencies): OpenAPIHono<HttpEnv> {
  const app = new OpenAPIHono<HttpEnv>({
    defaultHook: refuseInvalid,
    strict: false,
    router: new PathRouter(),
  })
  app.use(everyRequest(deps))
  const operationOf = matchedOperation(() => operations)
  const admin = adminCheck(declaredRole(operationOf))
  const api = apiRequest(deps, admin)
  for (const path of ['/api/*', '/.well-known/*']) app.use(path, api)
  app.use('/api/v1/admin/*', adminOnly(admin))
  app.use('/api/v1/admin/*', declaredQuery(operationOf))
  app.use('/api/v1/admin/*', idempotency())
  mountHealth(app, deps)
  const { pipeline } = deps
  mountPublicApi(app, typeof pipeline === 'function' ? pipeline : () => pipeline)
  if (deps.sync) mountSync(app, deps.sync)
  mountAdminApi(app)
  mountDocument(app)
  const operations = operationsOf(app)
  const allowed = methodsOf(operations)
  app.notFound((c) => problemResponse(nothingHere(c.req.method, allowed(c.req.path)), c))
  app.onError((error, c) => problemResponse(error, c))
  return app
}

/** RFC 9110, section 15.5.6. */
function nothingHere(method: string, allowed: readonly string[]): Refusal {
  if (allowed.length === 0) return new Refusal('not_found', 'There is nothing at this path.')
  const allow = allowed.join(', ')
  return new Refusal('method_not_allowed', `This path does not answer to ${method}.`, {
    facts: { allow: allowed },
    fix: `Use ${allow}.`,
    headers: { Allow: allow },
  })
}
