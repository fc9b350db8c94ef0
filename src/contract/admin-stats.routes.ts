// Path, method and schemas of the figures.
import { statsAnswer, statsQuery } from './admin-stats.schema.ts'
import { jsonOrCsv } from './admin-telemetry.routes.ts'
import { refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }

export const readStatsRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/stats',
  operationId: 'readStats',
  'x-role': 'auditor',
  summary:
    'The fleet by version, tier, os, age and license; licenses by state and by time left. Role: auditor.',
  request: { query: statsQuery },
  responses: { 200: jsonOrCsv(statsAnswer, 'The figures of this moment.'), default: refusal },
} as const
