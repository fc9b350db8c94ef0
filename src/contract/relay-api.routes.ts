// Path, method and schemas of the routes that only relays use.
import { z } from 'zod'
import { pageQuery } from './paging.schema.ts'
import {
  allotmentAnswer,
  allotmentRequest,
  enrolAnswer,
  enrolRequest,
  leasesAnswer,
  leasesRequest,
  relayLicense,
} from './relay-api.schema.ts'
import {
  RELAY_ALLOTMENTS_PATH,
  RELAY_ENROL_PATH,
  RELAY_LEASES_PATH,
  RELAY_LICENSES_PATH,
} from './relay-api.ts'
import { body, json, page, refusal } from './routes.ts'

const tags = ['Relays']
const security = [{ bearer: [] as string[] }]

export const enrolRelayRoute = {
  method: 'post',
  path: RELAY_ENROL_PATH,
  operationId: 'enrolRelay',
  tags,
  summary: 'Enrol a relay with its one-time code; the answer alone shows its key.',
  request: { body: body(enrolRequest) },
  responses: { 200: json(enrolAnswer, 'Enrolled.'), default: refusal },
} as const

export const relayLicensesRoute = {
  method: 'get',
  path: RELAY_LICENSES_PATH,
  operationId: 'relayLicenses',
  tags,
  summary: "The licenses of the relay's customer and how they stand, newest first. Unsigned.",
  security,
  request: { query: z.strictObject(pageQuery) },
  responses: { 200: page(relayLicense, 'A page of licenses.'), default: refusal },
} as const

export const allotmentRoute = {
  method: 'post',
  path: RELAY_ALLOTMENTS_PATH,
  operationId: 'allotment',
  tags,
  summary:
    'Get, renew, change, acknowledge or give back the seats of a license that this relay may give out.',
  security,
  request: { body: body(allotmentRequest) },
  responses: { 200: json(allotmentAnswer, 'The allotment.'), default: refusal },
} as const

export const relayLeasesRoute = {
  method: 'post',
  path: RELAY_LEASES_PATH,
  operationId: 'relayLeases',
  tags,
  summary: 'Tell of leases that were given out, renewed or given back. Repeating it changes nothing.',
  security,
  request: { body: body(leasesRequest) },
  responses: { 200: json(leasesAnswer, 'What became of each.'), default: refusal },
} as const
