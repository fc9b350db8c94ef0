// Telemetry over HTTP, for admins.
import { createRoute } from '@hono/zod-openapi'
import { readTelemetryRoute } from '../../contract/admin-telemetry.routes.ts'
import type { Router } from '../routing.ts'
import { csvAnswer, wantsCsv } from '../table-answer.ts'
import { presentTelemetry, telemetryCsv } from './present-telemetry.ts'
import { readTelemetry } from './read-telemetry.ts'

export function mountTelemetryAdminRoutes(app: Router): void {
  app.openapi(createRoute(readTelemetryRoute), async (c) => {
    const asCsv = wantsCsv(c)
    const series = presentTelemetry(await readTelemetry(c.get('ctx'), c.req.valid('query')))
    c.header('Complete-Until', series.complete_until)
    if (asCsv) return csvAnswer(c, `${series.product}-${series.metric}`, telemetryCsv(series))
    return c.json(series, 200)
  })
}
