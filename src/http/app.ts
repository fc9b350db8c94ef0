// The HTTP application: the order of the middleware, the routers, and how errors become problems.
import { OpenAPIHono } from '@hono/zod-openapi'
import { Refusal } from '../domain/kernel/context.ts'
import { unlimited } from '../platform/rate-limit.ts'
import type { AppDependencies } from './environment.ts'
import { mountHealth } from './health.ts'
import { matchedOperation } from './matched-operation.ts'
import { accessLog } from './middleware/access-log.ts'
import { type AdminCheck, adminBeforeBody, adminCheck, adminOnly } from './middleware/admin-only.ts'
import { clientAddress } from './middleware/client-address.ts'
import { declaredQuery } from './middleware/declared-query.ts'
import { declaredRole } from './middleware/declared-role.ts'
import { unboundedBodies } from './middleware/held-bodies.ts'
import { idempotency } from './middleware/idempotency.ts'
import { knownCredentials } from './middleware/known-credentials.ts'
import { limitRates } from './middleware/limit-rates.ts'
import { inTurn, openGate, refuseOverload, refuseWhenFull } from './middleware/overload.ts'
import { refuseWhileStopping } from './middleware/refuse-while-stopping.ts'
import { requestBody } from './middleware/request-body.ts'
import { requestContext } from './middleware/request-context.ts'
import { mountDocument } from './openapi.ts'
import { methodsOf, operationsOf } from './operations.ts'
import { problemResponse, refuseInvalid } from './problem.ts'
import { mountAdminApi, mountPublicApi } from './routers.ts'
import type { HttpEnv } from './routing.ts'
import { mountSync } from './sync.ts'

/** Builds the app. Holds no state of its own that a request depends on: everything is in `deps`. */
export function createApp(deps: AppDependencies): OpenAPIHono<HttpEnv> {
  const app = new OpenAPIHono<HttpEnv>({ defaultHook: refuseInvalid, strict: false })
  const { services } = deps
  app.use(requestContext(typeof services === 'function' ? services : () => services))
  app.use(accessLog(deps.metrics))
  app.use(clientAddress(deps))
  const rates = {
    address: deps.rateLimit,
    credential: deps.credentialRateLimit ?? unlimited,
    known: knownCredentials(),
  }
  if (deps.isStopping) app.use('/api/*', refuseWhileStopping(deps.isStopping))
  for (const path of ['/api/*', '/.well-known/*']) app.use(path, limitRates(rates))
  const gate = deps.gate ?? openGate
  for (const path of ['/api/*', '/.well-known/*']) app.use(path, refuseWhenFull(gate))
  const operationOf = matchedOperation(() => operations)
  const admin = adminCheck(declaredRole(operationOf))
  const adminInTurn: AdminCheck = (c) => inTurn(gate, c, () => deps.guard(admin(c), c))
  app.use('/api/v1/admin/*', adminBeforeBody(adminInTurn))
  app.use('/api/*', requestBody(deps.bodies ?? unboundedBodies))
  for (const path of ['/api/*', '/.well-known/*']) app.use(path, refuseOverload(gate))
  for (const path of ['/api/*', '/.well-known/*']) app.use(path, (c, next) => deps.guard(next(), c))
  app.use('/api/v1/admin/*', adminOnly(admin))
  app.use('/api/v1/admin/*', declaredQuery(operationOf))
  app.use('/api/v1/admin/*', idempotency())
  mountHealth(app, deps)
  mountPublicApi(app)
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
