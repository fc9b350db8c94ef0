// One log line and one observation a request: route pattern, status, milliseconds, request id, actor.
import { routePath } from 'hono/route'
import type { Actor } from '../../domain/kernel/context.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Metrics, Observed } from '../../platform/metrics.ts'
import type { Context } from '../routing.ts'

const QUIET = new Set(['/healthz', '/readyz', '/metrics'])

/** Called when the answer is there, with the milliseconds that it took. */
export type AccessLog = (c: Context, log: Logger, ms: number) => void

export function accessLog(metrics: Metrics): AccessLog {
  const duration = metrics.histogram('leasehold_http_request_duration_seconds', 'Time to answer.', [
    'method',
    'route',
    'status',
  ])
  const series = new Map<string, Observed>()
  const seriesOf = (method: string, route: string, status: number): Observed => {
    const name = `${status} ${method} ${route}`
    let found = series.get(name)
    if (!found) {
      found = duration.of({ method, route, status: String(status) })
      series.set(name, found)
    }
    return found
  }
  return (c, log, ms) => {
    const route = patternOf(c)
    const { method } = c.req
    const { status } = c.res
    seriesOf(method, route, status).observe(ms / 1000)
    const rounded = Math.round(ms * 10) / 10
    const actor = actorOf(c.get('ctx').actor)
    const line = { request_id: c.get('requestId'), method, route, status, ms: rounded, actor }
    if (QUIET.has(route)) log.debug(line, 'request')
    else log.info(line, 'request')
  }
}

/** Paths that no route matches are one pattern: a scanner must not fill the metrics with labels. */
const patternOf = (c: Context): string => {
  const found = routePath(c, -1)
  return found.endsWith('*') ? 'none' : found
}

const actorOf = ({ kind, id }: Actor): string => (kind === 'anonymous' ? id : `${kind}:${id}`)
