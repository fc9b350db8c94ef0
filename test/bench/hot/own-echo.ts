// The server's own HTTP application with one more route, which gives a validated heartbeat back: what the way through
// our middleware costs. A program of its own; it takes the server's settings and runs no jobs.
import { createRoute } from '@hono/zod-openapi'
import { heartbeatRequest } from '../../../src/contract/instance-api.schema.ts'
import { body, heartbeatRoute, json } from '../../../src/contract/routes.ts'
import { connectProbe } from '../../../src/db/client.ts'
import { databaseWatchdog } from '../../../src/db/watchdog.ts'
import { createApp } from '../../../src/http/app.ts'
import { heldBodies } from '../../../src/http/middleware/held-bodies.ts'
import { instanceGate } from '../../../src/http/middleware/overload.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { rateLimitOf } from '../../../src/platform/rate-limit.ts'
import { listen } from '../../../src/server/listen.ts'
import { serverMetrics } from '../../../src/server/metrics.ts'
import { peerAddress, trustedProxies } from '../../../src/server/trusted-proxies.ts'
import { boundYoungGeneration } from '../../../src/server/young-generation.ts'
import { openInside } from '../lab/inside.ts'

boundYoungGeneration()
const { settings, services } = await openInside(process.env)
const watchdog = databaseWatchdog(connectProbe(settings.databaseUrl ?? ''))
const { metrics } = serverMetrics({ services, watchdog, version: 'bench', poolSize: settings.poolSize })
const app = createApp({
  services,
  pipeline: { size: 0, submit: () => Promise.reject(new Error('nothing is recorded here')) },
  metrics,
  readiness: async () => ({ ready: true, checks: {} }),
  guard: watchdog.guard,
  peerAddress,
  isTrustedProxy: trustedProxies(settings.trustedProxies),
  rateLimit: rateLimitOf(systemClock, settings.rateLimit),
  credentialRateLimit: rateLimitOf(systemClock, settings.credentialRateLimit),
  gate: instanceGate(settings.places),
  bodies: heldBodies(),
  isStopping: () => false,
})
const echoRoute = createRoute({
  ...heartbeatRoute,
  path: '/api/v1/bench/echo',
  operationId: 'benchEcho',
  request: { body: body(heartbeatRequest) },
  responses: { 200: json(heartbeatRequest, 'The heartbeat.') },
})
app.openapi(echoRoute, (c) => c.json(c.req.valid('json'), 200))
await listen(app.fetch, settings)
