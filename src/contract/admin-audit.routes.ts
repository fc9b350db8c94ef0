// Path, method and schemas of the routes for the audit log and the events.
import { z } from 'zod'
import { auditEntry, auditQuery, eventAnswer, eventQuery } from './admin-audit.schema.ts'
import { json, page, refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }

export const listAuditRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/audit',
  operationId: 'listAudit',
  'x-role': 'auditor',
  summary: 'Who changed what, newest first. Role: auditor.',
  request: { query: auditQuery },
  responses: { 200: page(auditEntry, 'A page of the audit log.'), default: refusal },
} as const

export const listEventsRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/events',
  operationId: 'listEvents',
  'x-role': 'auditor',
  summary: 'Changes after a number, in the order of their numbers. Role: auditor.',
  request: { query: eventQuery },
  responses: { 200: json(z.array(eventAnswer), 'The events that follow.'), default: refusal },
} as const
