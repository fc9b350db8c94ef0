// Path, method and schemas of the anomaly routes of the admin API.
import { anomalyAnswer, anomalyPath, anomalyQuery, reopening, resolution } from './admin-anomalies.schema.ts'
import { body, json, page, refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }

export const listAnomaliesRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/anomalies',
  operationId: 'listAnomalies',
  'x-role': 'auditor',
  summary: 'Anomalies, newest first; open ones unless asked otherwise. Role: auditor.',
  request: { query: anomalyQuery },
  responses: { 200: page(anomalyAnswer, 'A page of anomalies.'), default: refusal },
} as const

export const getAnomalyRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/anomalies/{id}',
  operationId: 'getAnomaly',
  'x-role': 'auditor',
  summary: 'One anomaly. Role: auditor.',
  request: { params: anomalyPath },
  responses: { 200: json(anomalyAnswer, 'The anomaly.'), default: refusal },
} as const

export const resolveAnomalyRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/anomalies/{id}/resolve',
  operationId: 'resolveAnomaly',
  'x-role': 'support',
  summary: 'Close an anomaly; the next sighting opens a new one. Role: support.',
  request: { params: anomalyPath, body: body(resolution, false) },
  responses: { 200: json(anomalyAnswer, 'The anomaly as it is now.'), default: refusal },
} as const

export const reopenAnomalyRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/anomalies/{id}/reopen',
  operationId: 'reopenAnomaly',
  'x-role': 'support',
  summary: 'Open a resolved anomaly again; 409 while another of its type is open. Role: support.',
  request: { params: anomalyPath, body: body(reopening, false) },
  responses: { 200: json(anomalyAnswer, 'The anomaly as it is now.'), default: refusal },
} as const
