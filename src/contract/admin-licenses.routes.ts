// Path, method and schemas of the license routes of the admin API.
import { z } from 'zod'
import {
  licenseAnswer,
  licenseChange,
  licensePath,
  licenseQuery,
  newLicense,
  reinstatement,
  renewal,
  statusChange,
} from './admin-licenses.schema.ts'
import { dryRunQuery, takingPreview } from './admin-previews.schema.ts'
import { body, created, json, page, refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }
const changed = { 200: json(licenseAnswer, 'The license as it is now.'), default: refusal }

const taken = {
  200: json(z.union([licenseAnswer, takingPreview]), 'The license as it is now, or the preview.'),
  default: refusal,
}

export const issueLicenseRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/licenses',
  operationId: 'issueLicense',
  'x-role': 'operator',
  summary: 'Issue a license. Role: operator.',
  request: { body: body(newLicense) },
  responses: { 201: created(licenseAnswer, 'The license.'), default: refusal },
} as const

export const listLicensesRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/licenses',
  operationId: 'listLicenses',
  'x-role': 'auditor',
  summary: 'Licenses, newest first. Role: auditor.',
  request: { query: licenseQuery },
  responses: { 200: page(licenseAnswer, 'A page of licenses.'), default: refusal },
} as const

export const getLicenseRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/licenses/{id}',
  operationId: 'getLicense',
  'x-role': 'auditor',
  summary: 'One license. Role: auditor.',
  request: { params: licensePath },
  responses: { 200: json(licenseAnswer, 'The license.'), default: refusal },
} as const

export const changeLicenseRoute = {
  ...common,
  method: 'patch',
  path: '/api/v1/admin/licenses/{id}',
  operationId: 'changeLicense',
  'x-role': 'operator',
  summary:
    'Change tier, dates, features, limits or seats; instances follow at their next refresh. Role: operator.',
  request: { params: licensePath, body: body(licenseChange) },
  responses: changed,
} as const

export const suspendLicenseRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/licenses/{id}/suspend',
  operationId: 'suspendLicense',
  'x-role': 'operator',
  summary: 'Take a license away until it is reinstated. Role: operator.',
  request: { params: licensePath, body: body(statusChange, false), query: dryRunQuery },
  responses: taken,
} as const

export const reinstateLicenseRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/licenses/{id}/reinstate',
  operationId: 'reinstateLicense',
  'x-role': 'operator',
  summary: 'Give a suspended license back. Role: operator.',
  request: { params: licensePath, body: body(reinstatement, false) },
  responses: changed,
} as const

export const revokeLicenseRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/licenses/{id}/revoke',
  operationId: 'revokeLicense',
  'x-role': 'operator',
  summary: 'Take a license away for good. Role: operator.',
  request: { params: licensePath, body: body(statusChange, false), query: dryRunQuery },
  responses: taken,
} as const

export const renewLicenseRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/licenses/{id}/renew',
  operationId: 'renewLicense',
  'x-role': 'operator',
  summary: 'Move the end of a license on. Role: operator.',
  request: { params: licensePath, body: body(renewal) },
  responses: changed,
} as const
