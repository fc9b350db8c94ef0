// Liveness, readiness and metrics, for whoever runs the server.
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi'
import { livenessRoute, metricsRoute, readinessRoute } from '../contract/server.routes.ts'
import type { AppDependencies } from './environment.ts'
import { RETRY_AFTER_SECONDS } from './problem.ts'
import type { HttpEnv } from './routing.ts'

export function mountHealth(app: OpenAPIHono<HttpEnv>, deps: AppDependencies): void {
  app.openapi(createRoute(livenessRoute), (c) => c.json({ status: 'ok' as const }, 200))
  app.openapi(createRoute(readinessRoute), async (c) => {
    const { ready, checks } = await deps.readiness(c)
    if (ready) return c.json({ status: 'ready' as const, checks }, 200)
    return c.json({ status: 'not_ready' as const, checks }, 503, { 'Retry-After': RETRY_AFTER_SECONDS })
  })
  const { metricsText } = deps
  if (!metricsText) return
  app.openapi(createRoute(metricsRoute), async (c) => {
    const { text, contentType } = await metricsText()
    return c.text(text, 200, { 'Content-Type': contentType })
  })
}
