// Every route of the relay in one HTTP app: health, metrics, local API, status page, and the instance API.
import { Hono } from 'hono'
import type { Logger } from '../platform/logger.ts'
import type { FrontContext } from './front/answers.ts'
import { mountFront, problem } from './front/app.ts'
import { mountPublicKeys } from './front/public-keys.ts'
import { internalOnly, type LocalContext, mountLocalApi } from './local/api.ts'
import { relayMetrics } from './local/metrics.ts'
import { mountPage } from './local/page.ts'
import type { Standing } from './local/standing.ts'

export interface RelayAppOptions {
  front: FrontContext
  local: LocalContext
  /** For the metrics, which ask nobody. */
  standing(): Standing
  publicUrl: string | null
  isStopping(): boolean
  log: Logger
}

export function relayApp({ front, local, standing, publicUrl, isStopping, log }: RelayAppOptions): Hono {
  const app = new Hono()
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', (c) => {
    const ready = !isStopping() && front.keys.current() !== null
    const status = ready ? 'ready' : 'not_ready'
    return c.json({ status, upstream: front.upstream.isAway() }, ready ? 200 : 503)
  })
  const metrics = relayMetrics(standing)
  app.get('/metrics', internalOnly(local.internalKey), async (c) => {
    const { text, contentType } = await metrics()
    return c.text(text, 200, { 'Content-Type': contentType })
  })
  mountLocalApi(app, local)
  mountPage(app, local)
  mountPublicKeys(app, front)
  mountFront(app, front, publicUrl)
  app.notFound((c) => problem(c, 'not_found', 'There is nothing at this path.'))
  app.onError((error, c) => {
    log.error({ err: error }, 'request failed')
    return problem(c, 'internal_error', 'Something failed inside; the log of the relay tells more.')
  })
  return app
}
