// What the comparison sends: three kinds of request, and how `wrk` is told to send them.
import { heartbeatRoute } from '../../../src/contract/routes.ts'
import { mintCredential } from '../../../src/platform/credentials.ts'

export const HEALTH_PATH = '/healthz'
export const ECHO_PATH = `${heartbeatRoute.path}/echo`

export interface Kind {
  name: string
  /** The most CPU time that a request to our server may cost, as a multiple of the bare one; null: only shown. */
  most: number | null
  path: string
  /** Text of a wrk script; none for a plain GET. */
  script?: string
}

/** As an SDK of the Keldris kind sends it. */
const HEARTBEAT = JSON.stringify({
  instance_id: 'bench-0123456789abcdef',
  product: 'keldris',
  reported_tier: 'pro',
  has_valid_entitlement: true,
  metrics: {
    agent_count: 12,
    user_count: 48,
    org_count: 3,
    uptime_hours: 719,
    feature_usage: ['sso', 'audit_log', 'api_access'],
    server_version: '1.4.0',
  },
  boot_id: '0b5a9c7e-7f53-4a41-9f57-0d6d3b7c1a20',
  seq: 118,
  observed_at: '2026-03-01T12:00:00Z',
})

const post = (headers: Record<string, string>): string =>
  [
    'wrk.method = "POST"',
    `wrk.body = ${JSON.stringify(HEARTBEAT)}`,
    ...Object.entries(headers).map(([name, value]) => `wrk.headers["${name}"] = "${value}"`),
  ].join('\n')

const JSON_TYPE = { 'Content-Type': 'application/json' }

export const KINDS: readonly Kind[] = [
  { name: '/healthz', most: 1.3, path: HEALTH_PATH },
  { name: 'heartbeat echo', most: 1.6, path: ECHO_PATH, script: post(JSON_TYPE) },
  {
    name: 'heartbeat echo, with a token',
    most: null,
    path: ECHO_PATH,
    script: post({ ...JSON_TYPE, Authorization: `Bearer ${mintCredential('instance_token').secret}` }),
  },
]
