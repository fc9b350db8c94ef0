// Path, method and schemas of what the server says about itself, to whoever runs or reads it.
import { z } from 'zod'
import { json, refusal } from './routes.ts'
import { SYNC_PATH } from './sync.ts'

// Not `as const`: the generator takes mutable lists only.
const channelSecurity: Record<string, string[]>[] = [{ bearer: [] }, {}]
const common = { tags: ['Server'] }

const readiness = z
  .object({
    status: z.enum(['ready', 'not_ready']),
    checks: z
      .record(z.string(), z.object({ ok: z.boolean(), detail: z.string().optional() }))
      .meta({ description: 'By name: server, database, migrations, clock.' }),
  })
  .meta({ id: 'Readiness' })

export const livenessRoute = {
  ...common,
  method: 'get',
  path: '/healthz',
  operationId: 'liveness',
  summary: 'Whether the process lives.',
  responses: { 200: json(z.object({ status: z.literal('ok') }), 'It lives.'), default: refusal },
} as const

export const readinessRoute = {
  ...common,
  method: 'get',
  path: '/readyz',
  operationId: 'readiness',
  summary: 'Whether this process may be sent requests.',
  responses: {
    200: json(readiness, 'Ready.'),
    503: {
      ...json(readiness, 'Not ready; `checks` say why.'),
      headers: z.object({ 'Retry-After': z.string().meta({ description: 'Seconds.' }) }),
    },
    default: refusal,
  },
} as const

export const metricsRoute = {
  ...common,
  method: 'get',
  path: '/metrics',
  operationId: 'metrics',
  summary: 'Metrics for Prometheus.',
  responses: {
    200: {
      description: 'The text format of Prometheus.',
      content: { 'text/plain': { schema: z.string() } },
    },
    default: refusal,
  },
} as const

export const syncRoute = {
  ...common,
  method: 'get',
  path: SYNC_PATH,
  operationId: 'sync',
  summary:
    'The live channel (WebSocket): licenses, actions and keys that change, as they do. Hints, no rights.',
  security: channelSecurity,
  responses: {
    101: { description: 'Open. Each frame is one JSON object; the client says hello within 5 s.' },
    default: refusal,
  },
} as const

export const documentRoute = {
  ...common,
  method: 'get',
  path: '/openapi.json',
  operationId: 'document',
  summary: 'This document (OpenAPI 3.1).',
  responses: { 200: json(z.looseObject({ openapi: z.string() }), 'The document.'), default: refusal },
} as const
