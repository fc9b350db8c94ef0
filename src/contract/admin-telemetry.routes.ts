// Path, method and schemas of the telemetry that admins read.
import { z } from 'zod'
import { telemetryQuery, telemetrySeries } from './admin-telemetry.schema.ts'
import { linkHeader, refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }

/** One answer as JSON and as a table, whichever `Accept` prefers. */
export const jsonOrCsv = <T extends z.ZodType>(schema: T, description: string) =>
  ({
    description: `${description} As CSV (RFC 4180) by \`Accept: text/csv\`.`,
    content: { 'application/json': { schema }, 'text/csv': { schema: z.string() } },
  }) as const

export const readTelemetryRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/telemetry',
  operationId: 'readTelemetry',
  'x-role': 'auditor',
  summary: 'A metric over time, by hour or day, for all or by version, tier or license. Role: auditor.',
  request: { query: telemetryQuery },
  responses: {
    200: {
      ...jsonOrCsv(telemetrySeries, 'The series, page by page. Every page of CSV has the header line.'),
      headers: {
        ...linkHeader,
        'Complete-Until': {
          description: 'As `complete_until`.',
          schema: { type: 'string' as const },
          example: '2026-11-22T04:44:45.577Z',
        },
      },
    },
    default: refusal,
  },
} as const
