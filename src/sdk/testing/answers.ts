// What the test server says to each request when nothing is wrong, in the shapes of the instance API (reference,
// sections 1, 2, 5). Which fault strikes is decided elsewhere.
import { PERPETUAL } from '../../contract/catalog.ts'
import { ERRORS, type ErrorCode } from '../../contract/errors.ts'
import { isJsonObject, type JsonObject } from '../../license/json.ts'
import type { Endpoint } from './faults.ts'
import { type Denied, type Granted, sessionOf, standingOf } from './standing.ts'
import { issueDirective, issueJwt, randomHex, type World } from './world.ts'

export interface Question {
  endpoint: Endpoint
  bearer: string | null
  body: JsonObject
  /** Signatures are a stranger's. */
  forged: boolean
  /** The directive answers another request's nonce. */
  replayed: boolean
}

/** @throws nothing: whatever is asked has an answer. */
export async function answer(world: World, question: Question): Promise<Response> {
  switch (question.endpoint) {
    case 'exchange':
      if (question.bearer !== world.apiKey) return problem('api_key_unknown', 'The API key is not known.')
      return answerToken(world, question)
    case 'refresh':
      if (!isIssued(world, question)) return problem('license_jwt_invalid', 'The license JWT is not known.')
      return answerToken(world, question)
    case 'activate':
    case 'validate':
      return answerSeat(world, question, question.endpoint)
    case 'register':
      return Response.json({ status: 'registered', ...(await about(world, question)) })
    case 'heartbeat':
      return answerHeartbeat(world, question)
    case 'deactivate':
      return Response.json({ status: 'deactivated' })
    case 'telemetry': {
      const { reports } = question.body
      return Response.json({
        accepted: Array.isArray(reports) ? reports.length : 0,
        duplicates: 0,
        rejected: [],
      })
    }
    case 'key_set':
      return new Response(await world.keys.keySet(), { headers: { 'Content-Type': 'application/jwt' } })
    case 'jwks': {
      const { kid, x } = world.keys.license(false)
      return Response.json({ keys: [{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid, x }] })
    }
    case 'signing_key':
      return Response.json({ public_key: world.keys.raw.x })
  }
}

export function problem(code: ErrorCode, detail: string, facts: Record<string, unknown> = {}): Response {
  const [status, title] = ERRORS[code]
  const body = { type: 'about:blank', title, status, detail, error: code, message: detail, ...facts }
  return new Response(JSON.stringify({ ...body, request_id: randomHex(8) }), {
    status,
    headers: { 'Content-Type': 'application/problem+json' },
  })
}

async function answerToken(world: World, question: Question): Promise<Response> {
  const session = prove(world, question)
  const common = await about(world, question, session)
  if (!session.granted) {
    const { code, detail, fix } = session
    return problem(code, detail, { reason: code, fix, ...common })
  }
  return Response.json({
    ...(await lease(world, question, session)),
    message: session.inGrace ? 'The license has expired and is in its grace period.' : null,
    ...common,
    config: intervals(world),
  })
}

/** Activate and validate: always 200, for an answer is not an error. */
async function answerSeat(
  world: World,
  question: Question,
  endpoint: 'activate' | 'validate',
): Promise<Response> {
  const key = question.body.license_key
  if (typeof key !== 'string' || !world.licenseKeys.has(key)) {
    return problem('license_key_unknown', 'The license key is not known.')
  }
  const stranger = endpoint === 'validate' ? refuseToken(world, question) : null
  if (stranger) return stranger
  const session = prove(world, question)
  const common = await about(world, question, session)
  const { tier, limits, customer, trial, expiresAt } = world.license
  const facts = {
    tier,
    limits,
    customer_id: customer,
    customer_name: customer,
    company: customer,
    expires_at: expiresAt ?? PERPETUAL,
    issued_at: new Date(world.now() * 1000).toISOString(),
    is_trial: trial,
  }
  if (!session.granted) {
    const { word, code, detail, fix } = session
    return Response.json({ ...facts, status: word, reason: code, message: detail, fix, ...common })
  }
  const status = endpoint === 'activate' ? 'active' : 'valid'
  const granted = await lease(world, question, session)
  return Response.json({ ...facts, status, ...granted, ...common, config: intervals(world) })
}

async function answerHeartbeat(world: World, question: Question): Promise<Response> {
  const stranger = refuseToken(world, question)
  if (stranger) return stranger
  return Response.json({
    status: 'ok',
    action: world.action.action,
    config: { feature_refresh_token: randomHex(32), ...intervals(world) },
    ...(await about(world, question)),
  })
}

/** Whoever gets this far has shown the license: it counts for the instance from now on. */
function prove(world: World, { body }: Question): Granted | Denied {
  const id = String(body.instance_id)
  world.instances.set(id, { token: world.instances.get(id)?.token ?? null, licensed: true })
  return sessionOf(world.license, world.action, world.now())
}

async function lease(world: World, { body, forged }: Question, session: Granted) {
  const { exp, inGrace } = session
  const jwt = await issueJwt(world, { exp, inGrace, instanceId: String(body.instance_id) }, forged)
  return { jwt, expires_in: exp - world.now(), refresh_token: randomHex(32) }
}

/** Token and directive: what any answer about an instance may carry. */
async function about(world: World, question: Question, session?: Granted | Denied): Promise<JsonObject> {
  const { body, forged, replayed } = question
  const instanceId = String(body.instance_id)
  const known = world.instances.get(instanceId) ?? { token: null, licensed: false }
  const fresh = known.token === null ? { instance_token: `lit_${randomHex(16)}` } : {}
  world.instances.set(instanceId, { ...known, token: fresh.instance_token ?? known.token })
  if (typeof body.nonce !== 'string') return fresh
  const standing = session ?? standingOf(world.license, world.now())
  const directive = await issueDirective(
    world,
    {
      instanceId,
      nonce: replayed ? randomHex(16) : body.nonce,
      licenseId: known.licensed ? world.license.id : null,
      status: known.licensed ? standing.status : 'unlicensed',
      reason: standing.granted || !known.licensed ? '' : standing.code,
    },
    forged,
  )
  return { ...fresh, directive }
}

/** The refusal of a heartbeat or validate whose bearer does not prove its instance (T8). */
function refuseToken(world: World, question: Question): Response | null {
  const { bearer } = question
  if (bearer === null) {
    return problem('instance_token_required', 'This needs the instance token.', { fix: 'Register.' })
  }
  const known = world.instances.get(String(question.body.instance_id))
  if (isIssued(world, question) || (known && bearer === known.token)) return null
  return problem('instance_token_unknown', 'The instance token is not known.', { fix: 'Register again.' })
}

const isIssued = ({ issued }: World, { bearer }: Question): boolean => bearer !== null && issued.has(bearer)

const intervals = ({ intervals: { heartbeat, refresh }, sync }: World) => ({
  heartbeat_interval: heartbeat,
  refresh_interval: refresh,
  ...(sync ? { sync: sync.url } : {}),
})

/** The body of a request; an empty object for anything else. */
export function readBody(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : {}
  } catch {
    return {}
  }
}
