// Liveness, readiness and metrics, for whoever runs the server.
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { HttpEnv } from '../domain/routing.ts'
import type { AppDependencies } from './environment.ts'

export function mountHealth(app: OpenAPIHono<HttpEnv>, deps: AppDependencies): void {
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', async (c) => {
    const { ready, checks } = await deps.readiness()
    return c.json({ status: ready ? 'ready' : 'not_ready', checks }, ready ? 200 : 503)
  })
  const { metricsText } = deps
  if (!metricsText) return
  app.get('/metrics', async (c) => {
    const { text, contentType } = await metricsText()
    return c.body(text, 200, { 'Content-Type': contentType })
  })
}
