// Path, method and schemas of the instance routes of the admin API.
import { z } from 'zod'
import {
  actionOrder,
  bulkActionAnswer,
  bulkActionOrder,
  deletionQuery,
  instanceAnswer,
  instancePath,
  instanceQuery,
  seatPath,
} from './admin-instances.schema.ts'
import { dryRunQuery, takingPreview } from './admin-previews.schema.ts'
import { body, json, page, refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }
const changed = { 200: json(instanceAnswer, 'The instance as it is now.'), default: refusal }

export const listInstancesRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/instances',
  operationId: 'listInstances',
  'x-role': 'auditor',
  summary: 'Instances, newest first. Role: auditor.',
  request: { query: instanceQuery },
  responses: { 200: page(instanceAnswer, 'A page of instances.'), default: refusal },
} as const

export const getInstanceRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/instances/{id}',
  operationId: 'getInstance',
  'x-role': 'auditor',
  summary: 'One instance. Role: auditor.',
  request: { params: instancePath },
  responses: { 200: json(instanceAnswer, 'The instance.'), default: refusal },
} as const

export const setActionRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/instances/{id}/action',
  operationId: 'setAction',
  'x-role': 'operator',
  summary: 'Kill or downgrade an instance, or clear that with none. Role: operator.',
  request: { params: instancePath, query: dryRunQuery, body: body(actionOrder) },
  responses: {
    200: json(z.union([instanceAnswer, takingPreview]), 'The instance as it is now, or the preview.'),
    default: refusal,
  },
} as const

export const setActionsRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/instances/action',
  operationId: 'setActions',
  'x-role': 'operator',
  summary: 'Kill, downgrade or clear all that meet a filter, at most 1,000; try it first. Role: operator.',
  request: { query: dryRunQuery, body: body(bulkActionOrder) },
  responses: {
    200: json(z.union([bulkActionAnswer, takingPreview]), 'What was changed, or the preview.'),
    default: refusal,
  },
} as const

export const resetTokenRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/instances/{id}/reset-token',
  operationId: 'resetToken',
  'x-role': 'operator',
  summary: 'Forget who the instance is: the next proof of a license gets a new token. Role: operator.',
  request: { params: instancePath },
  responses: changed,
} as const

export const releaseSeatRoute = {
  ...common,
  method: 'delete',
  path: '/api/v1/admin/instances/{id}/seats/{license_id}',
  operationId: 'releaseSeat',
  'x-role': 'operator',
  summary: 'End the seat that the instance holds of a license. Role: operator.',
  request: { params: seatPath },
  responses: changed,
} as const

export const liftTombstoneRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/instances/{id}/seats/{license_id}/lift',
  operationId: 'liftTombstone',
  'x-role': 'operator',
  summary: 'Let the instance take the seat again that an admin ended. Role: operator.',
  request: { params: seatPath },
  responses: changed,
} as const

export const deleteInstanceRoute = {
  ...common,
  method: 'delete',
  path: '/api/v1/admin/instances/{id}',
  operationId: 'deleteInstance',
  'x-role': 'operator',
  summary: 'Delete an instance with all its data; it may register again as unknown. Role: operator.',
  request: { params: instancePath, query: deletionQuery },
  responses: { 204: { description: 'It is gone.' }, default: refusal },
} as const
