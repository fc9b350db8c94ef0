// Puts requests together: address, proof, and a body whose report is the very text that diagnostics() shows.

import type { RequestKind, Sent } from '../state/events.ts'
import { usableToken } from '../state/identity.ts'
import { isAsking, refreshableJwt, serverOf } from '../state/requests.ts'
import type { SdkState, TaskKind } from '../state/state.ts'
import { chosenGrant } from '../state/view.ts'
import { channelUrl } from '../sync/url.ts'
import { now } from '../time/clock.ts'

export interface Composed {
  url: string
  bearer: string | null
  body: string
  sent: Sent
}

export interface Envelope {
  nonce: string
  /** JSON text of an object; requests without a report have none. */
  report: string | null
}

const PATHS: Record<Exclude<RequestKind, 'refresh'>, string> = {
  exchange: '/api/v1/licenses/token',
  register: '/api/v1/instances/register',
  heartbeat: '/api/v1/instances/heartbeat',
  activate: '/api/v1/licenses/activate',
  validate: '/api/v1/licenses/validate',
}

/** The request as it goes out; null where the state no longer allows it. */
export function compose(
  state: SdkState,
  task: TaskKind,
  request: RequestKind,
  envelope: Envelope,
): Composed | null {
  const url = urlOf(state, request)
  if (url === null) return null
  const token = usableToken(state)
  const bearer = bearerOf(state, request, token)
  const inBody = request === 'exchange' || request === 'refresh'
  const members = {
    ...membersOf(state, request),
    ...(inBody && token !== null ? { instance_token: token } : {}),
    ...chainOf(state, request),
    ...ackOf(state, request),
    nonce: envelope.nonce,
  }
  return {
    url,
    bearer,
    body: join(members, envelope.report),
    sent: {
      task,
      request,
      proven: request !== 'register' && (bearer !== null || request === 'activate' || request === 'validate'),
      withInstanceToken: token !== null && (inBody || bearer === token),
      term: state.term,
    },
  }
}

/** Where the live channel is, and what to say hello with; null where there is none, or another process leads. */
export function channelTarget(state: SdkState): { url: string; token: string | null } | null {
  const url = isAsking(state) ? channelUrl(state.sync, serverOf(state)) : null
  return url === null ? null : { url, token: usableToken(state) ?? unexpiredJwt(state) }
}

/** The seat's return, when the product stops; null where there is no license key. */
export function composeRelease(state: SdkState): { url: string; bearer: string | null; body: string } | null {
  const { serverUrl, licenseKey, instanceId, product } = state.config
  if (serverUrl === null || licenseKey === null) return null
  return {
    url: `${serverUrl}/api/v1/licenses/deactivate`,
    bearer: usableToken(state) ?? unexpiredJwt(state),
    body: JSON.stringify({ license_key: licenseKey, instance_id: instanceId, product }),
  }
}

function urlOf(state: SdkState, request: RequestKind): string | null {
  if (request === 'refresh') return refreshableJwt(state)?.refreshUrl ?? null
  const { serverUrl } = state.config
  return serverUrl === null ? null : `${serverUrl}${PATHS[request]}`
}

/** The proof that each request needs (T8): one Bearer, its kind told by its prefix. */
function bearerOf(state: SdkState, request: RequestKind, token: string | null): string | null {
  switch (request) {
    case 'exchange':
      return state.config.apiKey
    case 'refresh':
      return refreshableJwt(state)?.token ?? null
    case 'register':
      // A token that is doubted proves less than the license.
      return (state.identity.doubted ? null : token) ?? state.config.apiKey ?? unexpiredJwt(state) ?? token
    case 'activate':
      // The license key is proof enough; beside a wrong token it would not be.
      return token
    case 'validate':
    case 'heartbeat':
      return token ?? unexpiredJwt(state)
  }
}

/** The license JWT, while it proves this instance. */
function unexpiredJwt(state: SdkState): string | null {
  const grant = chosenGrant(state)
  if (grant?.kind !== 'jwt' || !grant.bound || grant.leaseExp === null) return null
  return now(state.time) < grant.leaseExp * 1000 ? grant.token : null
}

function membersOf(state: SdkState, request: RequestKind): Record<string, unknown> {
  const { config } = state
  const instance = { instance_id: config.instanceId }
  const product = { product: config.product }
  const host = present({
    hostname: config.hostname,
    server_version: config.version,
    fingerprint: config.fingerprint,
  })
  switch (request) {
    case 'exchange':
      return { ...instance, version: config.version, ...present({ fingerprint: config.fingerprint }) }
    case 'register':
      return {
        ...instance,
        ...product,
        ...host,
        tier: state.view.tier,
        ...present({ os: config.os, arch: config.arch }),
      }
    case 'activate':
      return { license_key: config.licenseKey, ...instance, ...product, ...host }
    case 'validate':
      return { license_key: config.licenseKey, ...instance, ...product }
    case 'refresh':
    case 'heartbeat':
      // All of it is the report.
      return {}
  }
}

function chainOf({ chain }: SdkState, request: RequestKind): Record<string, unknown> {
  if (request === 'register') return {}
  return present({ refresh_token: chain.refreshToken, refresh_id: chain.refreshId })
}

/** The last directive has been carried out. Not part of the report, which may have been shown before. */
function ackOf({ action }: SdkState, request: RequestKind): Record<string, unknown> {
  const reports = request === 'heartbeat' || request === 'refresh'
  return reports && action !== null ? { ack: action.seq } : {}
}

function present(members: Record<string, string | null>): Record<string, string> {
  const there: Record<string, string> = {}
  for (const [name, value] of Object.entries(members)) if (value !== null) there[name] = value
  return there
}

/** One JSON object of members and report, the report byte for byte. */
function join(members: Record<string, unknown>, report: string | null): string {
  const head = JSON.stringify(members)
  return report === null || report === '{}' ? head : `${head.slice(0, -1)},${report.slice(1)}`
}
