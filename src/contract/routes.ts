// Path, method and schemas of each public and instance route, used by the server and by the relay.
import { z } from 'zod'
import {
  activateRequest,
  deactivateAnswer,
  exchangeRequest,
  heartbeatAnswer,
  heartbeatRequest,
  licenseKeyRequest,
  refreshRequest,
  registerAnswer,
  registerRequest,
  seatAnswer,
  telemetryAnswer,
  telemetryRequest,
  tokenAnswer,
} from './instance-api.schema.ts'
import { problem } from './problem.schema.ts'

export const json = <T extends z.ZodType>(schema: T, description: string) =>
  ({ description, content: { 'application/json': { schema } } }) as const

export const body = <T extends z.ZodType>(schema: T, required = true) =>
  ({ required, content: { 'application/json': { schema } } }) as const

/** What was made, and where it is. */
export const created = <T extends z.ZodType>(schema: T, description: string) =>
  ({
    description,
    headers: {
      Location: {
        description: 'Path of what was made.',
        schema: { type: 'string' as const },
        example: '/api/v1/admin/customers/cus_019b76daa80070008000000000000001',
      },
    },
    content: { 'application/json': { schema } },
  }) as const

/** Where the next page is. */
export const linkHeader = {
  Link: {
    description: '`<…>; rel="next"` (RFC 8288): the next page. Absent on the last.',
    schema: { type: 'string' as const },
    example: '</api/v1/admin/instances?limit=50&after=WyIxNzk1MzEyMDI4OTkyIl0>; rel="next"',
  },
}

/** A page of a list: a plain array, and where the next page is. */
export const page = <T extends z.ZodType>(items: T, description: string) =>
  ({
    description,
    headers: linkHeader,
    content: { 'application/json': { schema: z.array(items) } },
  }) as const

export const refusal = {
  description: 'A refusal that explains itself.',
  content: { 'application/problem+json': { schema: problem } },
} as const

// Not `as const`: the generator takes mutable lists only.
const instances = ['Instances']
const keys = ['Keys']
const bearer = [{ bearer: [] as string[] }]
const optionalBearer = [{}, { bearer: [] as string[] }]

export const exchangeRoute = {
  method: 'post',
  path: '/api/v1/licenses/token',
  operationId: 'exchange',
  tags: instances,
  summary: 'Exchange an API key for a license JWT; claims a seat.',
  security: bearer,
  request: { body: body(exchangeRequest) },
  responses: { 200: json(tokenAnswer, 'The license JWT.'), default: refusal },
} as const

export const refreshRoute = {
  method: 'post',
  path: '/api/v1/licenses/refresh',
  operationId: 'refresh',
  tags: instances,
  summary: 'Exchange a license JWT for the next one; reports version, uptime and telemetry.',
  security: bearer,
  request: { body: body(refreshRequest) },
  responses: { 200: json(tokenAnswer, 'The next license JWT.'), default: refusal },
} as const

export const registerRoute = {
  method: 'post',
  path: '/api/v1/instances/register',
  operationId: 'register',
  tags: instances,
  summary: 'Make an instance known, or update what is known of it.',
  security: optionalBearer,
  request: { body: body(registerRequest) },
  responses: { 200: json(registerAnswer, 'Registered.'), default: refusal },
} as const

export const heartbeatRoute = {
  method: 'post',
  path: '/api/v1/instances/heartbeat',
  operationId: 'heartbeat',
  tags: instances,
  summary: 'Report facts and metrics; carries the action.',
  security: optionalBearer,
  request: { body: body(heartbeatRequest) },
  responses: { 200: json(heartbeatAnswer, 'Heard.'), default: refusal },
} as const

export const activateRoute = {
  method: 'post',
  path: '/api/v1/licenses/activate',
  operationId: 'activate',
  tags: instances,
  summary: 'Take a seat of a license. A denial is an answer: 200 with a status and a reason.',
  security: optionalBearer,
  request: { body: body(activateRequest) },
  responses: { 200: json(seatAnswer, 'Activated or denied.'), default: refusal },
} as const

export const validateRoute = {
  method: 'post',
  path: '/api/v1/licenses/validate',
  operationId: 'validate',
  tags: instances,
  summary: 'Ask whether a license still holds for this instance.',
  security: optionalBearer,
  request: { body: body(licenseKeyRequest) },
  responses: { 200: json(seatAnswer, 'Valid or denied.'), default: refusal },
} as const

export const deactivateRoute = {
  method: 'post',
  path: '/api/v1/licenses/deactivate',
  operationId: 'deactivate',
  tags: instances,
  summary: 'Give a seat back. Repeating it changes nothing.',
  security: optionalBearer,
  request: { body: body(licenseKeyRequest) },
  responses: { 200: json(deactivateAnswer, 'The seat is free.'), default: refusal },
} as const

export const telemetryRoute = {
  method: 'post',
  path: '/api/v1/telemetry',
  operationId: 'telemetry',
  tags: instances,
  summary: 'A batch of 1 to 500 reports, each counted once by (instance, boot_id, seq).',
  security: bearer,
  request: { body: body(telemetryRequest) },
  responses: { 200: json(telemetryAnswer, 'What became of each report.'), default: refusal },
} as const

const unchanged = { description: 'As the `If-None-Match` of the request has it.' } as const

const jwk = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string(),
  kid: z.string(),
  use: z.literal('sig'),
  alg: z.literal('EdDSA'),
})

export const jwksRoute = {
  method: 'get',
  path: '/.well-known/jwks.json',
  operationId: 'jwks',
  tags: keys,
  summary: 'Public keys of license JWTs as a JWK set (RFC 7517).',
  description:
    'Only keys that sign license JWTs: what signs directives stands in the root-signed key set alone. Name the ' +
    'product, unless your client checks `aud`: without it the set has the keys of all products.',
  request: { query: z.object({ product: z.string().max(64).optional() }) },
  responses: {
    200: {
      description: 'The JWK set.',
      content: { 'application/jwk-set+json': { schema: z.object({ keys: z.array(jwk) }) } },
    },
    304: unchanged,
    default: refusal,
  },
} as const

export const keySetRoute = {
  method: 'get',
  path: '/.well-known/leasehold-keys',
  operationId: 'keySet',
  tags: keys,
  summary: 'The root-signed, numbered key set (T4) as a compact JWS.',
  responses: {
    200: {
      description: 'The key set.',
      content: { 'application/jwt': { schema: z.string() } },
    },
    304: unchanged,
    default: refusal,
  },
} as const

export const signingKeyRoute = {
  method: 'get',
  path: '/api/v1/signing-key',
  operationId: 'signingKey',
  tags: keys,
  summary: 'The raw public key that signs license keys, envelopes and entitlement tokens.',
  request: { query: z.object({ product: z.string().max(64).optional() }) },
  responses: {
    200: json(z.object({ public_key: z.string().regex(/^[0-9a-f]{64}$/) }), '64 hex characters.'),
    default: refusal,
  },
} as const
