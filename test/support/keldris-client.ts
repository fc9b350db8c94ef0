// A model of the real Keldris client, written from section 1 of the reference alone. It shares no code with the
// server, verifies with node:crypto, and throws where an answer lacks a field that the real one reads.
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { VirtualClock } from './virtual-clock.ts'

const HOUR = 3_600_000
const HEARTBEAT = 6 * HOUR
const VALIDATION = 24 * HOUR
const RETRY = HOUR
const GRACE = 30 * 24 * HOUR
const TIMEOUT = 30_000
const TIER_FEATURES: Record<string, string[]> = {
  free: [],
  pro: ['oidc', 'audit_logs'],
  enterprise: ['oidc', 'audit_logs', 'sso_sync'],
}

// biome-ignore lint/suspicious/noExplicitAny: the checks below say what is in it.
type Json = any

export interface KeldrisOptions {
  url: string
  clock: VirtualClock
  instanceId: string
  licenseKey?: string
  agents?: number
}

export interface KeldrisAnswer {
  endpoint: string
  /** Null where the server counted as unreachable. */
  body: Json | null
}

export function keldrisClient(options: KeldrisOptions) {
  const { clock, instanceId } = options
  const state = {
    url: options.url,
    licenseKey: options.licenseKey,
    tier: 'free',
    killed: false,
    status: '',
    reason: '' as string | undefined,
    entitlement: null as { token: string; payload: Json } | null,
    expiredSince: null as number | null,
    answers: [] as KeldrisAnswer[],
  }
  let publicKey: KeyObject
  let started = 0
  let heartbeatDue = 0
  let validationDue = 0
  const now = () => clock.now().getTime()

  /** Null: unreachable. Any status of 400 or more is, and so is an answer that is no JSON object. */
  async function ask(method: string, path: string, body?: object): Promise<Json | null> {
    const endpoint = path.split('/').at(-1) ?? path
    let answer: Json | null = null
    try {
      const response = await fetch(`${state.url}/api/v1${path}`, {
        method,
        signal: AbortSignal.timeout(TIMEOUT),
        ...(body ? { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) } : {}),
      })
      const text = await response.text()
      if (response.status < 400) answer = JSON.parse(text)
    } catch {
      answer = null
    }
    if (answer !== null && (typeof answer !== 'object' || Array.isArray(answer))) {
      throw new Error(`${endpoint}: the answer is no JSON object`)
    }
    state.answers.push({ endpoint, body: answer })
    return answer
  }

  /** Payload of a two-part object of the pinned key; throws where the signature does not hold. */
  function opened(token: string): Json {
    const [payload = '', signature = ''] = token.split('.')
    const bytes = Buffer.from(payload, 'base64url')
    if (!verify(null, bytes, publicKey, Buffer.from(signature, 'base64url'))) {
      throw new Error('a signature does not hold under the pinned key')
    }
    return JSON.parse(bytes.toString())
  }

  function fallBackToFree(): void {
    state.tier = 'free'
    state.entitlement = null
  }

  /** Whatever token it is handed it keeps, and gates on it before it looks at the tier. */
  function keepEntitlement(token: unknown): void {
    if (token === undefined) return
    const payload = opened(String(need('entitlement', token, isText)))
    for (const name of ['max_agents', 'max_users', 'max_orgs']) need(name, payload.limits?.[name], isInteger)
    need('features', payload.features, (value) => Array.isArray(value) && value.every(isText))
    need('nonce', payload.nonce, (value) => /^[0-9a-f]{32}$/.test(String(value)))
    need('issued_at', payload.issued_at, (value) => isInteger(value) && value <= now() / 1000)
    need('expires_at', payload.expires_at, (value) => isInteger(value) && value > now() / 1000)
    state.entitlement = { token: String(token), payload }
  }

  /** The key itself decides while the server is unreachable: past its end for 30 days more. */
  function fallBackToKey(): void {
    if (state.licenseKey === undefined || state.killed) return
    const key = opened(state.licenseKey)
    need('customer_id', key.customer_id, isText)
    if (now() / 1000 <= key.expires_at) {
      state.tier = key.tier
      state.expiredSince = null
      return
    }
    state.expiredSince ??= now()
    if (now() - state.expiredSince > GRACE) fallBackToFree()
    else state.tier = key.tier
  }

  const withKey = () => ({ license_key: state.licenseKey, instance_id: instanceId, product: 'keldris' })

  async function seat(verb: 'activate' | 'validate'): Promise<void> {
    const facts = verb === 'activate' ? { hostname: 'dev', server_version: '1.0.0' } : {}
    const answer = await ask('POST', `/licenses/${verb}`, { ...withKey(), ...facts })
    validationDue = now() + (answer ? VALIDATION : RETRY)
    if (!answer) return fallBackToKey()
    checkSeat(verb, answer)
    state.expiredSince = null
    state.status = answer.status
    state.reason = answer.reason
    switch (answer.status) {
      case 'active':
      case 'valid':
        state.tier = answer.tier
        keepEntitlement(answer.entitlement_token)
        break
      case 'revoked':
      case 'expired':
      case 'limit_reached':
        fallBackToFree()
    }
  }

  async function heartbeat(): Promise<void> {
    const { entitlement, tier } = state
    const hash = entitlement ? createHash('sha256').update(entitlement.token).digest('hex') : ''
    const answer = await ask('POST', '/instances/heartbeat', {
      instance_id: instanceId,
      product: 'keldris',
      reported_tier: tier,
      has_valid_entitlement: isEntitled(),
      metrics: {
        agent_count: options.agents ?? 1,
        user_count: 1,
        org_count: 1,
        oidc_configured: false,
        feature_usage: hasFeature('audit_logs') ? ['audit_logs'] : null,
        entitlement_token_hash: hash,
        server_version: '1.0.0',
        uptime_hours: (now() - started) / HOUR,
        integrity_hash: 'abc',
      },
    })
    heartbeatDue = now() + (answer ? HEARTBEAT : RETRY)
    if (!answer) return fallBackToKey()
    need('status', answer.status, (value) => value === 'ok')
    need('feature_refresh_token', answer.config?.feature_refresh_token, (value) =>
      /^[0-9a-f]{64}$/.test(String(value)),
    )
    const action = need('action', answer.action, (value) =>
      ['none', 'downgrade', 'kill'].includes(String(value)),
    )
    if (action !== 'none') {
      if (answer.entitlement_token !== undefined) throw new Error(`an entitlement token with ${action}`)
      state.killed = action === 'kill'
      return fallBackToFree()
    }
    keepEntitlement(answer.entitlement_token)
    if (state.killed) {
      state.killed = false
      if (state.licenseKey !== undefined) await seat('validate')
    }
  }

  const isEntitled = () => state.entitlement !== null && now() / 1000 < state.entitlement.payload.expires_at

  function hasFeature(name: string): boolean {
    if (isEntitled()) return state.entitlement?.payload.features.includes(name)
    return TIER_FEATURES[state.tier]?.includes(name) ?? false
  }

  return {
    state,
    hasFeature,
    isEntitled,
    /** Fetches the key that it pins, then register, activate if it has a key, heartbeat. */
    async start(): Promise<void> {
      started = now()
      const key = await ask('GET', '/signing-key?product=keldris')
      const hex = String(need('public_key', key?.public_key, (value) => /^[0-9a-f]{64}$/.test(String(value))))
      const der = Buffer.from(`302a300506032b6570032100${hex}`, 'hex')
      publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' })
      const registered = await ask('POST', '/instances/register', {
        instance_id: instanceId,
        product: 'keldris',
        hostname: 'dev',
        server_version: '1.0.0',
        tier: state.tier,
        os: 'linux',
        arch: 'amd64',
      })
      if (registered) need('status', registered.status, (value) => value === 'registered')
      if (state.licenseKey !== undefined) await seat('activate')
      await heartbeat()
    },
    /** Hours pass; what is due is done. A killed one does not validate: the flag keeps it from activating again. */
    async live(hours: number): Promise<void> {
      for (let hour = 0; hour < hours; hour += 1) {
        clock.advance(HOUR)
        if (now() >= heartbeatDue) await heartbeat()
        if (state.licenseKey !== undefined && !state.killed && now() >= validationDue) await seat('validate')
      }
    },
    async stop(): Promise<void> {
      const answer = await ask('POST', '/licenses/deactivate', withKey())
      if (answer) need('status', answer.status, (value) => value === 'deactivated')
    },
  }
}

function checkSeat(verb: string, answer: Json): void {
  const granted = verb === 'activate' ? 'active' : 'valid'
  need('status', answer.status, (value) =>
    [granted, 'revoked', 'expired', 'limit_reached'].includes(String(value)),
  )
  for (const name of ['tier', 'customer_id', 'customer_name', 'company']) need(name, answer[name], isText)
  for (const name of ['expires_at', 'issued_at']) need(name, answer[name], isTime)
  for (const name of ['max_agents', 'max_users', 'max_orgs']) need(name, answer.limits?.[name], isInteger)
  need('is_trial', answer.is_trial, (value) => typeof value === 'boolean')
  if (answer.status !== granted && answer.entitlement_token !== undefined) {
    throw new Error(`an entitlement token with ${answer.status}`)
  }
}

function need(name: string, value: unknown, holds: (value: unknown) => boolean): unknown {
  if (holds(value)) return value
  throw new Error(`${name} is ${JSON.stringify(value)}`)
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isInteger = (value: unknown): value is number => Number.isInteger(value)
const isTime = (value: unknown): boolean =>
  isText(value) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value) && !Number.isNaN(Date.parse(value))
