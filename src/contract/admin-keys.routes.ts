// Path, method and schemas of the routes for admin keys.
import { z } from 'zod'
import {
  adminKeyAnswer,
  adminKeyChange,
  adminKeyQuery,
  createdAdminKey,
  newAdminKey,
} from './admin-keys.schema.ts'
import { body, json, page, refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }

export const createAdminKeyRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/admin-keys',
  operationId: 'createAdminKey',
  'x-role': 'owner',
  summary: 'Create an admin key; the answer alone shows it. Role: owner.',
  request: { body: body(newAdminKey) },
  responses: { 201: json(createdAdminKey, 'The key with its secret.'), default: refusal },
} as const

export const listAdminKeysRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/admin-keys',
  operationId: 'listAdminKeys',
  'x-role': 'owner',
  summary: 'Admin keys, newest first. Role: owner.',
  request: { query: adminKeyQuery },
  responses: { 200: page(adminKeyAnswer, 'A page of admin keys.'), default: refusal },
} as const

export const whoamiRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/whoami',
  operationId: 'whoami',
  'x-role': 'auditor',
  summary: 'The admin key of this very request. Role: auditor.',
  responses: { 200: json(adminKeyAnswer, 'The key.'), default: refusal },
} as const

export const revokeAdminKeyRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/admin-keys/{id}/revoke',
  operationId: 'revokeAdminKey',
  'x-role': 'owner',
  summary: 'Revoke an admin key, at once and everywhere. Repeating it changes nothing. Role: owner.',
  request: { params: z.object({ id: z.string().max(64).meta({ description: 'adm_…' }) }) },
  responses: { 200: json(adminKeyAnswer, 'The revoked key.'), default: refusal },
} as const

export const changeAdminKeyRoute = {
  ...common,
  method: 'patch',
  path: '/api/v1/admin/admin-keys/{id}',
  operationId: 'changeAdminKey',
  'x-role': 'owner',
  summary: "Change the name, role or end of an admin key; never the last owner's. Role: owner.",
  request: {
    params: z.object({ id: z.string().max(64).meta({ description: 'adm_…' }) }),
    body: body(adminKeyChange),
  },
  responses: { 200: json(adminKeyAnswer, 'The key as it is now.'), default: refusal },
} as const
