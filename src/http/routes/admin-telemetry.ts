// Telemetry over HTTP, for admins.
import { createRoute } from '@hono/zod-openapi'
import { readTelemetryRoute } from '../../contract/admin-telemetry.routes.ts'
import { readTelemetry } from '../../domain/telemetry/read-telemetry.ts'
import { rfc3339 } from '../../platform/time.ts'
import { linkNext } from '../link-next.ts'
import type { Router } from '../routing.ts'
import { csvAnswer, wantsCsv } from '../table-answer.ts'
import { presentTelemetry, telemetryCsv } from './present-telemetry.ts'

export function mountTelemetryAdminRoutes(app: Router): void {
  app.openapi(createRoute(readTelemetryRoute), async (c) => {
    const asCsv = wantsCsv(c)
    const telemetry = await readTelemetry(c.get('ctx'), c.req.valid('query'))
    const range = { from: rfc3339(telemetry.from), to: rfc3339(telemetry.to) }
    const series = presentTelemetry(telemetry, linkNext(c, telemetry.page, range))
    c.header('Complete-Until', series.complete_until)
    if (asCsv) return csvAnswer(c, `${series.product}-${series.metric}`, telemetryCsv(series))
    return c.json(series, 200)
  })
}
