// Path, method and schemas of the admin routes of API keys, license keys and static license JWTs.
import { z } from 'zod'
import {
  apiKeyAnswer,
  apiKeyRotation,
  credentialPath,
  credentialQuery,
  issuedApiKey,
  issuedLicenseKey,
  issuedStaticJwt,
  licenseKeyAnswer,
  licenseKeyQuery,
  licenseKeyRotation,
  newApiKey,
  newLicenseKey,
  newStaticJwt,
  revocation,
  rotatedApiKey,
  rotatedLicenseKey,
  staticJwtAnswer,
  staticJwtRevocation,
} from './admin-credentials.schema.ts'
import { licensePath } from './admin-licenses.schema.ts'
import { dryRunQuery, takingPreview } from './admin-previews.schema.ts'
import { body, json, page, refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }

export const issueApiKeyRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/api-keys',
  operationId: 'issueApiKey',
  'x-role': 'operator',
  summary: 'Issue an API key of a license; the secret is shown once. Role: operator.',
  request: { body: body(newApiKey) },
  responses: { 201: json(issuedApiKey, 'The key.'), default: refusal },
} as const

export const listApiKeysRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/api-keys',
  operationId: 'listApiKeys',
  'x-role': 'auditor',
  summary: 'API keys, newest first. Role: auditor.',
  request: { query: credentialQuery },
  responses: { 200: page(apiKeyAnswer, 'A page of API keys.'), default: refusal },
} as const

export const revokeApiKeyRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/api-keys/{id}/revoke',
  operationId: 'revokeApiKey',
  'x-role': 'operator',
  summary: 'Revoke an API key. Role: operator.',
  request: { params: credentialPath('key'), body: body(revocation, false), query: dryRunQuery },
  responses: {
    200: json(z.union([apiKeyAnswer, takingPreview]), 'The key as it is now, or the preview.'),
    default: refusal,
  },
} as const

export const rotateApiKeyRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/api-keys/{id}/rotate',
  operationId: 'rotateApiKey',
  'x-role': 'operator',
  summary: 'Replace an API key; both work for the overlap, and the new one is shown once. Role: operator.',
  request: { params: credentialPath('key'), body: body(apiKeyRotation, false) },
  responses: { 201: json(rotatedApiKey, 'The new key.'), default: refusal },
} as const

export const issueLicenseKeyRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/license-keys',
  operationId: 'issueLicenseKey',
  'x-role': 'operator',
  summary: 'Sign a license key; it is shown once. Role: operator.',
  request: { body: body(newLicenseKey) },
  responses: { 201: json(issuedLicenseKey, 'The key.'), default: refusal },
} as const

export const listLicenseKeysRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/license-keys',
  operationId: 'listLicenseKeys',
  'x-role': 'auditor',
  summary: 'License keys, newest first. Role: auditor.',
  request: { query: licenseKeyQuery },
  responses: { 200: page(licenseKeyAnswer, 'A page of license keys.'), default: refusal },
} as const

export const revokeLicenseKeyRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/license-keys/{id}/revoke',
  operationId: 'revokeLicenseKey',
  'x-role': 'operator',
  summary: 'Revoke a license key; one minted offline holds where the server is not asked. Role: operator.',
  request: { params: credentialPath('lk'), body: body(revocation, false), query: dryRunQuery },
  responses: {
    200: json(z.union([licenseKeyAnswer, takingPreview]), 'The key as it is now, or the preview.'),
    default: refusal,
  },
} as const

export const rotateLicenseKeyRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/license-keys/{id}/rotate',
  operationId: 'rotateLicenseKey',
  'x-role': 'operator',
  summary: 'Replace a license key; the old one keeps its seats and takes none. Role: operator.',
  request: { params: credentialPath('lk'), body: body(licenseKeyRotation, false) },
  responses: { 201: json(rotatedLicenseKey, 'The new key.'), default: refusal },
} as const

export const issueStaticJwtRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/licenses/{id}/jwt',
  operationId: 'issueStaticJwt',
  'x-role': 'operator',
  summary: 'Sign a license JWT to be handed out; it is shown once. Role: operator.',
  request: { params: licensePath, body: body(newStaticJwt) },
  responses: { 201: json(issuedStaticJwt, 'The license JWT.'), default: refusal },
} as const

export const listStaticJwtsRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/static-jwts',
  operationId: 'listStaticJwts',
  'x-role': 'auditor',
  summary: 'License JWTs that were handed out, newest first. Role: auditor.',
  request: { query: credentialQuery },
  responses: { 200: page(staticJwtAnswer, 'A page of license JWTs.'), default: refusal },
} as const

export const revokeStaticJwtRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/static-jwts/{id}/revoke',
  operationId: 'revokeStaticJwt',
  'x-role': 'operator',
  summary: 'End a license JWT: it cannot be refreshed any more, and runs to its own end. Role: operator.',
  request: { params: credentialPath('sjw'), body: body(staticJwtRevocation, false), query: dryRunQuery },
  responses: {
    200: json(z.union([staticJwtAnswer, takingPreview]), 'The license JWT as it is now, or the preview.'),
    default: refusal,
  },
} as const
