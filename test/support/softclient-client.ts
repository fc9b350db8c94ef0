// A model of the real softclient4es client, written from section 2 of the reference alone. It shares no code with the
// server, verifies with node:crypto, and throws where an answer lacks a field that the real one reads.
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { VirtualClock } from './virtual-clock.ts'

const HOUR = 3_600_000
const DAY_SECONDS = 86_400
const REFRESH_INTERVAL = 24 * HOUR
const FORCED_BELOW = 48 * HOUR
const RETRY = HOUR
const TIMEOUT = 10_000
const TIERS = ['community', 'pro', 'enterprise']

// biome-ignore lint/suspicious/noExplicitAny: the checks below say what is in it.
type Json = any

export interface SoftclientOptions {
  /** The vendor's server. */
  url: string
  issuer: string
  clock: VirtualClock
  instanceId: string
  version?: string
  apiKey?: string
  staticJwt?: string
  /** Telemetry's counters; `null` where it is switched off. */
  telemetry?: Record<string, number> | null
  /** `license-cache.jwt`, which outlives the process. */
  disk?: { jwt?: string }
}

interface Answered {
  status: number
  body: Json
}

export function softclient(options: SoftclientOptions) {
  const { clock, instanceId, issuer, apiKey, staticJwt, disk = {} } = options
  const version = options.version ?? '0.9.0'
  const state = {
    url: options.url,
    jwt: null as string | null,
    claims: null as Json | null,
    warnings: [] as string[],
    /** What the operator is shown. */
    messages: [] as string[],
    /** Every answer of the server, and null for each attempt that met none. */
    answers: [] as (Answered | null)[],
    telemetry: options.telemetry ?? null,
  }
  const keys = new Map<string, KeyObject>()
  let started = clock.now().getTime()
  let attempted = Number.NEGATIVE_INFINITY
  let refreshed = 0
  const now = () => clock.now().getTime()

  async function fetchKeys(): Promise<void> {
    const response = await fetch(`${state.url}/.well-known/jwks.json`)
    need('media type', response.headers.get('Content-Type'), (type) => type === 'application/jwk-set+json')
    const set: Json = await response.json()
    for (const jwk of set.keys) keys.set(jwk.kid, createPublicKey({ key: jwk, format: 'jwk' }))
  }

  /** The claims of a JWT that is ours; throws where anything of it is not as the real client has it. */
  async function verified(jwt: string): Promise<Json> {
    const [head = '', payload = '', signature = ''] = jwt.split('.')
    const header = JSON.parse(Buffer.from(head, 'base64url').toString())
    need('alg', header.alg, (alg) => alg === 'EdDSA')
    const kid = String(need('kid', header.kid, isText))
    if (!keys.has(kid)) await fetchKeys()
    const key = keys.get(kid)
    if (!key || !verify(null, Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, 'base64url'))) {
      throw new Error(`the signature of ${kid} does not hold`)
    }
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    need('iss', claims.iss, (iss) => iss === issuer)
    for (const name of ['sub', 'tier', 'org_name', 'jti', 'license_id']) need(name, claims[name], isText)
    need('features', claims.features, (value) => Array.isArray(value) && value.every(isText))
    need('quotas', claims.quotas, (value) => Object.values(value as object).every(Number.isInteger))
    need('trial', claims.trial, (value) => typeof value === 'boolean')
    for (const name of ['iat', 'exp']) need(name, claims[name], Number.isInteger)
    return claims
  }

  /** Null where the server gave no answer. Redirects are not followed. */
  async function post(url: string, bearer: string, body: object): Promise<Answered | null> {
    attempted = now()
    try {
      const response = await fetch(url, {
        method: 'POST',
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT),
        headers: {
          Authorization: `Bearer ${bearer}`,
          'Content-Type': 'application/json',
          Accept: 'application/json',
        },
        body: JSON.stringify(body),
      })
      const answer = { status: response.status, body: (await response.json()) as Json }
      state.answers.push(answer)
      return answer
    } catch {
      state.answers.push(null)
      return null
    }
  }

  /** Takes a token answer; false for a refusal, whose message is shown, and for silence. */
  async function take(answer: Answered | null): Promise<boolean> {
    if (answer === null) return false
    const { status, body } = answer
    if (status !== 200) {
      need('error', body.error, isText)
      state.messages.push(String(need('message', body.message, isText)))
      return false
    }
    const jwt = String(need('jwt', body.jwt, isText))
    const claims = await verified(jwt)
    need('expires_in', body.expires_in, (value) => value === claims.exp - Math.floor(now() / 1000))
    need('message', body.message, (value) => value === null || isText(value))
    state.jwt = jwt
    state.claims = claims
    refreshed = now()
    if (apiKey !== undefined) disk.jwt = jwt
    return true
  }

  const exchange = async () =>
    take(
      await post(`${state.url}/api/v1/licenses/token`, String(apiKey), { instance_id: instanceId, version }),
    )

  async function refresh(): Promise<void> {
    if (apiKey !== undefined) {
      if (!(await exchange())) state.warnings.push('refresh failed')
      return
    }
    const { claims, jwt, telemetry } = state
    // No refresh_url, no refresh: fully offline.
    if (jwt === null || claims.refresh_url === undefined) return
    const body = {
      license_id: claims.license_id,
      instance_id: instanceId,
      version,
      uptime_hours: (now() - started) / HOUR,
      ...(telemetry === null ? {} : { telemetry: { ...telemetry } }),
    }
    if (!(await take(await post(claims.refresh_url, jwt, body)))) state.warnings.push('refresh failed')
  }

  function isDue(): boolean {
    if (state.claims === null || now() < attempted + RETRY) return false
    const { iat, exp } = state.claims
    const half = ((exp - iat) * 1000) / 2
    const forcedAt = Math.max(exp * 1000 - FORCED_BELOW, iat * 1000 + half)
    return now() >= forcedAt || now() >= refreshed + Math.min(REFRESH_INTERVAL, half)
  }

  function freshness(claims: Json): 'valid' | 'grace' | 'over' {
    const seconds = now() / 1000
    if (seconds < claims.exp) return 'valid'
    return seconds <= claims.exp + (claims.grace_days ?? 0) * DAY_SECONDS ? 'grace' : 'over'
  }

  async function adopt(jwt: string): Promise<boolean> {
    const claims = await verified(jwt).catch(() => null)
    if (claims === null || freshness(claims) === 'over') return false
    state.jwt = jwt
    state.claims = claims
    refreshed = now()
    return true
  }

  const inForce = () => (state.claims !== null && freshness(state.claims) !== 'over' ? state.claims : null)

  return {
    state,
    disk,
    /** Fetches the keys where it can, then: static JWT, API key, disk cache, community. */
    async start(): Promise<void> {
      started = now()
      await fetchKeys().catch(() => {})
      if (staticJwt !== undefined && (await adopt(staticJwt))) return
      if (apiKey !== undefined && (await exchange())) return
      if (disk.jwt === undefined || !(await adopt(disk.jwt))) return
      state.warnings.push(
        freshness(state.claims) === 'grace'
          ? 'Using cached license (expired, within grace period)'
          : 'Using cached license (API key fetch failed)',
      )
    },
    async live(hours: number): Promise<void> {
      for (let hour = 0; hour < hours; hour += 1) {
        clock.advance(HOUR)
        if (isDue()) await refresh()
      }
    },
    /** The public keys that it has, for a process that starts while the server is away. */
    keepKeys: (from: ReadonlyMap<string, KeyObject>) => {
      for (const [kid, key] of from) keys.set(kid, key)
    },
    keys: keys as ReadonlyMap<string, KeyObject>,
    tier: (): string => {
      const tier = inForce()?.tier
      return TIERS.includes(tier) ? tier : 'community'
    },
    hasFeature: (name: string): boolean => inForce()?.features.includes(name) ?? false,
    /** A missing quota is unlimited. */
    quota: (name: string): number => inForce()?.quotas[name] ?? Number.POSITIVE_INFINITY,
  }
}

function need(name: string, value: unknown, holds: (value: unknown) => boolean): unknown {
  if (holds(value)) return value
  throw new Error(`${name} is ${JSON.stringify(value)}`)
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
