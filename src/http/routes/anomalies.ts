// Anomalies over HTTP, for admins.
import { createRoute } from '@hono/zod-openapi'
import {
  getAnomalyRoute,
  listAnomaliesRoute,
  reopenAnomalyRoute,
  resolveAnomalyRoute,
} from '../../contract/admin-anomalies.routes.ts'
import { getAnomaly, listAnomalies } from '../../domain/anomalies/list-anomalies.ts'
import { reopenAnomaly } from '../../domain/anomalies/reopen-anomaly.ts'
import { resolveAnomaly } from '../../domain/anomalies/resolve-anomaly.ts'
import { linkNext } from '../link-next.ts'
import { optionalBody } from '../optional-body.ts'
import type { Router } from '../routing.ts'
import { presentAnomaly } from './present-anomaly.ts'

export function mountAnomalyRoutes(app: Router): void {
  app.openapi(createRoute(listAnomaliesRoute), async (c) => {
    const page = await listAnomalies(c.get('ctx'), c.req.valid('query'))
    linkNext(c, page)
    return c.json(page.items.map(presentAnomaly), 200)
  })
  app.openapi(createRoute(getAnomalyRoute), async (c) => {
    return c.json(presentAnomaly(await getAnomaly(c.get('ctx'), c.req.valid('param').id)), 200)
  })
  app.openapi(createRoute({ ...resolveAnomalyRoute, middleware: optionalBody }), async (c) => {
    const { id } = c.req.valid('param')
    return c.json(presentAnomaly(await resolveAnomaly(c.get('ctx'), id, c.req.valid('json'))), 200)
  })
  app.openapi(createRoute({ ...reopenAnomalyRoute, middleware: optionalBody }), async (c) => {
    const { id } = c.req.valid('param')
    return c.json(presentAnomaly(await reopenAnomaly(c.get('ctx'), id, c.req.valid('json'))), 200)
  })
}
