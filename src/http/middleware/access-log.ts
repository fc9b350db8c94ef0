// One log line and one observation a request: route pattern, status, milliseconds, request id, actor.
import { createMiddleware } from 'hono/factory'
import { routePath } from 'hono/route'
import type { Metrics } from '../../platform/metrics.ts'
import type { Context, HttpEnv } from '../routing.ts'

const QUIET = new Set(['/healthz', '/readyz', '/metrics'])

export function accessLog(metrics: Metrics) {
  const duration = metrics.histogram('leasehold_http_request_duration_seconds', 'Time to answer.', [
    'method',
    'route',
    'status',
  ])
  return createMiddleware<HttpEnv>(async (c, next) => {
    const { clock } = c.get('ctx')
    const start = clock.monotonic()
    await next()
    const ms = clock.monotonic() - start
    const route = patternOf(c)
    const { method } = c.req
    const status = c.res.status
    duration.observe({ method, route, status: String(status) }, ms / 1000)
    const level = QUIET.has(route) ? 'debug' : 'info'
    const line = { method, route, status, ms: Math.round(ms * 10) / 10, actor: actorOf(c.get('ctx').actor) }
    c.get('ctx').log[level](line, 'request')
  })
}

/** Paths that no route matches are one pattern: a scanner must not fill the metrics with labels. */
const patternOf = (c: Context): string => {
  const found = routePath(c, -1)
  return found.endsWith('*') ? 'none' : found
}

const actorOf = (actor: { kind: string; id: string }): string =>
  actor.kind === 'anonymous' ? actor.id : `${actor.kind}:${actor.id}`
