// Path, method and schemas of the admin routes for signing keys and key sets.
import { z } from 'zod'
import { dryRunQuery } from './admin-previews.schema.ts'
import {
  keyRevocation,
  keyRotation,
  keySetAnswer,
  keySetDraft,
  keySetImport,
  revocationAnswer,
  revocationPreview,
  rotationAnswer,
  signingKeyAnswer,
  signingKeyQuery,
} from './admin-signing.schema.ts'
import { body, json, page, refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }

export const listSigningKeysRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/signing-keys',
  operationId: 'listSigningKeys',
  'x-role': 'auditor',
  summary: 'Signing keys, newest first; public halves only. Role: auditor.',
  request: { query: signingKeyQuery },
  responses: { 200: page(signingKeyAnswer, 'A page of signing keys.'), default: refusal },
} as const

export const rotateSigningKeyRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/signing-keys/rotate',
  operationId: 'rotateSigningKey',
  'x-role': 'owner',
  summary: 'Give a product its next signing key. What the old one signed still verifies. Role: owner.',
  request: { body: body(keyRotation) },
  responses: { 201: json(rotationAnswer, 'The new key.'), default: refusal },
} as const

export const revokeSigningKeyRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/signing-keys/{kid}/revoke',
  operationId: 'revokeSigningKey',
  'x-role': 'owner',
  summary: 'Revoke a stolen key: it verifies nothing from now on, and another signs at once. Role: owner.',
  request: {
    params: z.object({ kid: z.string().max(128) }),
    body: body(keyRevocation, false),
    query: dryRunQuery,
  },
  responses: {
    200: json(z.union([revocationAnswer, revocationPreview]), 'The revoked key, or the preview.'),
    default: refusal,
  },
} as const

export const draftKeySetRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/key-sets/draft',
  operationId: 'draftKeySet',
  'x-role': 'auditor',
  summary: 'The next key set, unsigned, for the machine that has the root key. Role: auditor.',
  responses: { 200: json(keySetDraft, 'What is to be signed.'), default: refusal },
} as const

export const importKeySetRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/key-sets',
  operationId: 'importKeySet',
  'x-role': 'owner',
  summary: 'Publish a key set that was signed on another machine. Role: owner.',
  request: { body: body(keySetImport) },
  responses: { 201: json(keySetAnswer, 'The key set in force.'), default: refusal },
} as const
