// Path, method and schemas of the relays' admin routes.
import {
  newRelay,
  relayAnswer,
  relayChange,
  relayLicensePath,
  relayPath,
  relayQuery,
  relayShare,
  relayWithCode,
  shareQuery,
} from './admin-relays.schema.ts'
import { body, created, json, page, refusal } from './routes.ts'

const common = { tags: ['Admin'], security: [{ bearer: [] as string[] }] }
const changed = { 200: json(relayAnswer, 'The relay as it is now.'), default: refusal }

export const createRelayRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/relays',
  operationId: 'createRelay',
  'x-role': 'owner',
  summary: 'Create a relay of a customer; the answer alone shows its enrolment code. Role: owner.',
  request: { body: body(newRelay) },
  responses: { 201: created(relayWithCode, 'The relay with its code.'), default: refusal },
} as const

export const listRelaysRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/relays',
  operationId: 'listRelays',
  'x-role': 'auditor',
  summary: "Relays, newest first, all or a customer's. Role: auditor.",
  request: { query: relayQuery },
  responses: { 200: page(relayAnswer, 'A page of relays.'), default: refusal },
} as const

export const getRelayRoute = {
  ...common,
  method: 'get',
  path: '/api/v1/admin/relays/{id}',
  operationId: 'getRelay',
  'x-role': 'auditor',
  summary: 'One relay. Role: auditor.',
  request: { params: relayPath },
  responses: { 200: json(relayAnswer, 'The relay.'), default: refusal },
} as const

export const changeRelayRoute = {
  ...common,
  method: 'patch',
  path: '/api/v1/admin/relays/{id}',
  operationId: 'changeRelay',
  'x-role': 'owner',
  summary: 'Rename a relay. Role: owner.',
  request: { params: relayPath, body: body(relayChange) },
  responses: changed,
} as const

export const issueEnrolmentCodeRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/relays/{id}/enrolment-code',
  operationId: 'issueEnrolmentCode',
  'x-role': 'owner',
  summary:
    'A new enrolment code; the one before is dead. Enrolled again, a relay has a new key, and what was allotted ' +
    'to another machine counts no longer. Role: owner.',
  request: { params: relayPath },
  responses: { 200: json(relayWithCode, 'The relay with its code.'), default: refusal },
} as const

export const revokeRelayRoute = {
  ...common,
  method: 'post',
  path: '/api/v1/admin/relays/{id}/revoke',
  operationId: 'revokeRelay',
  'x-role': 'owner',
  summary:
    'End a relay for good: its key is dead at once, everywhere. Seats allotted to it count until their end. ' +
    'Repeating it changes nothing. Role: owner.',
  request: { params: relayPath },
  responses: changed,
} as const

export const shareSeatsRoute = {
  ...common,
  method: 'put',
  path: '/api/v1/admin/relays/{id}/allotments/{license_id}',
  operationId: 'shareSeats',
  'x-role': 'owner',
  summary: 'How many seats of a license the relay may give out by itself. Role: owner.',
  request: { params: relayLicensePath, body: body(relayShare) },
  responses: changed,
} as const

export const unshareSeatsRoute = {
  ...common,
  method: 'delete',
  path: '/api/v1/admin/relays/{id}/allotments/{license_id}',
  operationId: 'unshareSeats',
  'x-role': 'owner',
  summary: 'The relay gets no more seats of a license; what it has counts until its end. Role: owner.',
  request: { params: relayLicensePath, query: shareQuery },
  responses: changed,
} as const
