// The figures over HTTP, for admins.
import { createRoute } from '@hono/zod-openapi'
import { readStatsRoute } from '../../contract/admin-stats.routes.ts'
import { readStats } from '../../domain/stats/read-stats.ts'
import type { Router } from '../routing.ts'
import { csvAnswer, wantsCsv } from '../table-answer.ts'
import { presentStats, statsCsv } from './present-stats.ts'

export function mountStatsRoutes(app: Router): void {
  app.openapi(createRoute(readStatsRoute), async (c) => {
    const asCsv = wantsCsv(c)
    const stats = presentStats(await readStats(c.get('ctx'), c.req.valid('query')))
    if (asCsv) return csvAnswer(c, `${stats.product ?? 'all'}-stats`, statsCsv(stats))
    return c.json(stats, 200)
  })
}
