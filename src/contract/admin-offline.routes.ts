// Path, method and schemas of the admin routes for sites without a network.
import { licensePath } from './admin-licenses.schema.ts'
import {
  envelopeAnswer,
  envelopePath,
  issuedEnvelope,
  issuedOfflineActivation,
  issuedOfflineQuery,
  newEnvelope,
  newOfflineActivation,
  offlineActivationAnswer,
  offlineActivationPath,
} from './admin-offline.schema.ts'
import { body, created, json, page, refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }

export const issueEnvelopeRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/licenses/{id}/envelope',
  operationId: 'issueEnvelope',
  'x-role': 'operator',
  summary:
    'Sign an envelope, a license that works without a network; it cannot be called back. Role: operator.',
  request: { params: licensePath, body: body(newEnvelope, false) },
  responses: { 201: created(issuedEnvelope, 'The envelope.'), default: refusal },
} as const

export const listEnvelopesRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/licenses/{id}/envelope',
  operationId: 'listEnvelopes',
  'x-role': 'auditor',
  summary: 'The envelopes that were signed under a license, newest first. Role: auditor.',
  request: { params: licensePath, query: issuedOfflineQuery },
  responses: { 200: page(envelopeAnswer, 'A page of envelopes.'), default: refusal },
} as const

export const getEnvelopeRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/licenses/{id}/envelope/{envelope}',
  operationId: 'getEnvelope',
  'x-role': 'auditor',
  summary: 'What was said of one envelope when it was signed. Role: auditor.',
  request: { params: envelopePath },
  responses: { 200: json(envelopeAnswer, 'The envelope, without its text.'), default: refusal },
} as const

export const activateOfflineRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/licenses/{id}/offline-activations',
  operationId: 'activateOffline',
  'x-role': 'operator',
  summary: 'Answer the request file of a site without a network, once; takes a seat. Role: operator.',
  request: { params: licensePath, body: body(newOfflineActivation) },
  responses: { 201: created(issuedOfflineActivation, 'The answer file.'), default: refusal },
} as const

export const listOfflineActivationsRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/licenses/{id}/offline-activations',
  operationId: 'listOfflineActivations',
  'x-role': 'auditor',
  summary: 'The request files that were answered under a license, newest first. Role: auditor.',
  request: { params: licensePath, query: issuedOfflineQuery },
  responses: { 200: page(offlineActivationAnswer, 'A page of offline activations.'), default: refusal },
} as const

export const getOfflineActivationRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/licenses/{id}/offline-activations/{activation}',
  operationId: 'getOfflineActivation',
  'x-role': 'auditor',
  summary: 'What was said in one answer. Role: auditor.',
  request: { params: offlineActivationPath },
  responses: { 200: json(offlineActivationAnswer, 'The activation, without its answer.'), default: refusal },
} as const
