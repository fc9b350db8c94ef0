// The outermost step of every request: its id, its context, its line in the log, and an answer whatever happened.
import { createMiddleware } from 'hono/factory'
import type { AppDependencies } from '../environment.ts'
import { problemResponse } from '../problem.ts'
import type { HttpEnv } from '../routing.ts'
import { accessLog } from './access-log.ts'
import { clientAddress } from './client-address.ts'
import { openContext } from './request-context.ts'

type Dependencies = Pick<AppDependencies, 'services' | 'metrics' | 'peerAddress' | 'isTrustedProxy'>

export function everyRequest(deps: Dependencies) {
  const { services } = deps
  const servicesOf = typeof services === 'function' ? services : () => services
  const addressOf = clientAddress(deps)
  const tell = accessLog(deps.metrics)
  return createMiddleware<HttpEnv>(async (c, next) => {
    const { clock, log } = servicesOf(c)
    const arrivedAt = clock.monotonic()
    openContext(c, servicesOf(c), addressOf(c), arrivedAt)
    try {
      await next()
    } catch (error) {
      c.res = problemResponse(error, c)
    }
    tell(c, log, clock.monotonic() - arrivedAt)
  })
}
