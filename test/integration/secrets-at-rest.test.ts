import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer } from '../support/app.ts'
import { query } from '../support/query.ts'
import {
  dumpTables,
  givenAway,
  keyBytes,
  type Secret,
  sealedSecrets,
  secretsIn,
} from '../support/secret-search.ts'
import { type SeveralServers, startServers } from '../support/several-servers.ts'
import { createWorld, type World } from '../support/world.ts'

const KINDS = [
  'API key',
  'JWT',
  'admin key',
  'database password',
  'entitlement token',
  'instance token',
  'license key',
  'master key',
  'pepper',
  'private key',
  'refresh token',
  'root key',
]
/** No secret: it must show in both, or they would not show what they are searched for. */
const MARKER = 'marker-of-a-request-4711'

interface Sending {
  bearer?: string | undefined
  headers?: Record<string, string>
  body?: unknown
}

describe('a busy run with the log at debug', () => {
  let cluster: SeveralServers
  let log: string
  const secrets = new Map<string, Secret>()
  const seen = (...found: Secret[]) => {
    for (const secret of found) secrets.set(secret.text, secret)
  }

  /** Sends whatever it is told to, and takes down every secret on the way there and back. */
  async function send(
    method: string,
    path: string,
    { bearer, headers, body }: Sending = {},
  ): Promise<Answer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const sent = {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
      ...headers,
    }
    const response = await fetch(`${cluster.servers[0]?.url}${path}`, {
      method,
      headers: sent,
      ...(text === undefined ? {} : { body: text }),
    })
    const answer = await response.text()
    for (const part of [path, JSON.stringify(sent), text ?? '', answer]) seen(...secretsIn(part))
    const isJson = answer.startsWith('{') || answer.startsWith('[')
    return {
      status: response.status,
      headers: response.headers,
      text: answer,
      body: isJson ? JSON.parse(answer) : undefined,
    }
  }
  const post = (path: string, body: unknown, bearer?: string) =>
    send('POST', `/api/v1${path}`, { bearer, body })
  const admin = (method: string, path: string, body?: unknown, headers = {}) =>
    send(method, `/api/v1/admin${path}`, { bearer: cluster.adminKey, body, headers })
  const succeed = async (pending: Promise<Answer>) => {
    const answer = await pending
    expect([answer.status, answer.text]).toEqual([expect.toSatisfy((s) => s < 300), expect.anything()])
    return answer.body
  }

  /** An instance's whole life, and an admin's ordinary day. */
  async function ordinaryLife(world: World) {
    const { product, licenseKey: license_key, apiKey, licenseId } = world
    const instance_id = `busy-${product}`
    const nonce = randomUUID()
    const at = { instance_id, product }
    const first = await succeed(post('/instances/register', at))
    const active = await succeed(post('/licenses/activate', { ...at, license_key, nonce }))
    const token = active.instance_token ?? first.instance_token
    const session = await succeed(
      post('/licenses/token', { instance_id, version: '1', nonce, instance_token: token }, apiKey),
    )
    const chain = { refresh_token: session.refresh_token, refresh_id: randomUUID() }
    const next = await succeed(
      post('/licenses/refresh', { instance_id, version: '1', nonce, ...chain }, session.jwt),
    )
    const beat = (bearer: string, more: object = {}) =>
      post(
        '/instances/heartbeat',
        { ...at, reported_tier: 'enterprise', has_valid_entitlement: false, metrics: {}, nonce, ...more },
        bearer,
      )
    const entitlement_token_hash = createHash('sha256').update(active.entitlement_token).digest('hex')
    await succeed(
      beat(token, {
        metrics: { entitlement_token_hash, feature_usage: ['sso_sync'] },
        refresh_token: next.refresh_token,
        refresh_id: randomUUID(),
      }),
    )
    await succeed(beat(next.jwt))
    const observed_at = new Date().toISOString()
    const report = { instance_id, boot_id: randomUUID(), seq: 0, observed_at, metrics: { queries_total: 3 } }
    await succeed(post('/telemetry', { reports: [report, { ...report, seq: apiKey }, token] }, next.jwt))
    await succeed(post('/licenses/validate', { ...at, license_key, nonce }, token))
    const handed = await succeed(
      admin('POST', `/licenses/${licenseId}/jwt`, { life: 3600, refreshable: true }),
    )
    await succeed(post('/licenses/refresh', { instance_id: `${instance_id}-2`, version: '1' }, handed.jwt))
    await succeed(admin('POST', '/signing-keys/rotate', { product, use: 'license', activate_in: 0 }))
    const raw = { product, use: 'raw', activate_in: 0, confirm: true }
    const { replaces } = await succeed(admin('POST', '/signing-keys/rotate', raw))
    await succeed(post('/licenses/refresh', { instance_id, version: '1' }, next.jwt))
    await succeed(admin('POST', '/license-keys', { license_id: licenseId, name: 'offline', offline: true }))
    const [known] = await succeed(admin('GET', `/instances?text=${instance_id}`))
    await succeed(admin('POST', `/instances/${known.id}/action`, { action: 'kill', reason: 'test' }))
    await post('/licenses/activate', { ...at, license_key, nonce }, token)
    await admin('POST', `/instances/${known.id}/action`, { action: 'none' })
    await succeed(post('/licenses/deactivate', { ...at, license_key }, token))
    await succeed(admin('POST', `/signing-keys/${replaces}/revoke`, { reason: 'stolen', confirm: true }))
    await succeed(admin('POST', `/api-keys/${world.apiKeyId}/revoke`, { end_sessions: true }))
    await succeed(admin('POST', `/license-keys/${world.licenseKeyId}/revoke`, {}))
    for (const path of ['api-keys', 'license-keys', 'static-jwts', 'signing-keys', 'audit', 'instances']) {
      await succeed(admin('GET', `/${path}`))
    }
    return { apiKey, token, licenseKey: license_key, jwt: next.jwt, refreshToken: next.refresh_token }
  }

  /** Requests that are refused, each with secrets in a place where they do not belong. */
  async function refusals(held: string[]) {
    const { admin_key, id } = await succeed(admin('POST', '/admin-keys', { name: 'second', role: 'support' }))
    await succeed(admin('POST', `/admin-keys/${id}/revoke`))
    const answers: Answer[] = []
    for (const secret of [...held, admin_key]) {
      const bad = `${secret.slice(0, -1)}${secret.endsWith('x') ? 'y' : 'x'}`
      const escaped = encodeURIComponent(secret)
      const basic = { Authorization: `Basic ${Buffer.from(`user:${secret}`).toString('base64')}` }
      const typed = { instance_id: [secret], version: { [secret]: secret }, seq: secret, nonce: secret }
      for (const bearer of [secret, bad, `${secret} ${secret}`]) {
        answers.push(await send('GET', '/api/v1/admin/licenses', { bearer }))
        answers.push(await post('/licenses/token', { ...typed, license_key: secret }, bearer))
      }
      answers.push(
        await send('GET', '/api/v1/admin/licenses', { headers: basic }),
        await send('GET', `/api/v1/${escaped}`),
        await send('GET', `/api/v1/admin/licenses/${escaped}`, { bearer: cluster.adminKey }),
        await admin('GET', `/licenses?status=${escaped}&after=${escaped}&${escaped}=1`),
        await admin('POST', `/api-keys/${escaped}/revoke`, {}),
        await admin('POST', '/customers', { [secret]: 1, name: [secret], company: { secret } }),
        await post('/licenses/refresh', `{"refresh_token":"${secret}","license_key":"${secret}`),
        await post('/licenses/activate', `"${secret}"`),
        await post('/licenses/activate', { license_key: `${secret}.`, instance_id: 'i', product: secret }),
        await post('/instances/heartbeat', { ...typed, metrics: secret }),
        await post('/licenses/token', { secret: `${secret} `.repeat(65_536 / secret.length) }),
        await send('POST', '/api/v1/licenses/token', {
          headers: { 'Content-Type': 'text/plain', 'X-Api-Key': secret, Cookie: `session=${secret}` },
          body: secret,
        }),
      )
    }
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400, 401, 404, 413, 415, 422]))
  }

  /** A request id is written down; a credential that stands in its place must not be. */
  async function strangeRequestIds(credentials: string[]) {
    const rename = (name: string) =>
      admin('PATCH', `/customers/${customerId}`, { name }, { 'X-Request-Id': name })
    const { id: customerId } = await succeed(admin('POST', '/customers', { name: 'a', company: 'b' }))
    const answer = await succeed(rename(MARKER))
    expect(answer.name).toBe(MARKER)
    for (const [i, credential] of credentials.entries()) {
      const change = { company: `c-${i}` }
      await succeed(admin('PATCH', `/customers/${customerId}`, change, { 'X-Request-Id': credential }))
    }
  }

  /** A failure that nobody foresaw, with secrets in the request. */
  async function unforeseen(world: World) {
    for (const table of ['api_keys', 'license_keys', 'admin_keys', 'instances']) {
      await query(cluster.databaseUrl, `alter table ${table} rename to elsewhere`)
      const { apiKey, licenseKey: license_key, product } = world
      const answers = [
        await post('/licenses/token', { instance_id: 'i', version: '1' }, apiKey),
        await post('/licenses/activate', { license_key, instance_id: 'i', product }),
        await admin('GET', '/licenses'),
        await post('/instances/register', { instance_id: 'i', product }),
      ]
      expect(answers.map(({ status }) => status)).toContain(500)
      await query(cluster.databaseUrl, `alter table elsewhere rename to ${table}`)
    }
  }

  beforeAll(async () => {
    cluster = await startServers(1, { LOG_LEVEL: 'debug' })
    const { DATABASE_URL = '', LEASEHOLD_MASTER_KEY = '', LEASEHOLD_ROOT_KEY = '' } = cluster.env
    const masterKey = Buffer.from(LEASEHOLD_MASTER_KEY, 'base64')
    seen(keyBytes('master key', masterKey), keyBytes('root key', Buffer.from(LEASEHOLD_ROOT_KEY, 'base64')))
    const { password } = new URL(DATABASE_URL)
    seen({ kind: 'database password', text: password, parts: [password] })

    const proven = await createWorld(
      { admin },
      { product: 'proven', instanceAuth: 'token', license: ETERNAL },
    )
    const open = await createWorld({ admin }, { product: 'trusting', license: ETERNAL })
    const held = await ordinaryLife(proven)
    await ordinaryLife(open)
    await refusals(Object.values(held))
    await strangeRequestIds([held.apiKey, held.token, held.jwt, cluster.adminKey])
    await unforeseen(await proven.another(ETERNAL))
    seen(...(await sealedSecrets(cluster.databaseUrl, masterKey)))

    const [server] = cluster.servers
    expect(await server?.stop()).toEqual({ code: 0, signal: null })
    log = `${server?.stdout()}\n${server?.stderr()}`
  }, 60_000)
  afterAll(() => cluster?.stop())

  test('carried every kind of secret', () => {
    const kinds = [...secrets.values()].map(({ kind }) => kind)
    expect([...new Set(kinds)].sort()).toEqual(KINDS)
    expect(kinds.filter((kind) => kind === 'private key').length).toBeGreaterThan(6)
  })

  test('leaves none of them in the log', () => {
    expect(log).toContain('"level":"debug"')
    expect(log).toContain('request failed')
    expect(log).toContain(MARKER)
    expect(givenAway(secrets.values(), log)).toEqual([])
  })

  test('leaves none of them in any table', async () => {
    const dump = await dumpTables(cluster.databaseUrl)
    for (const table of ['audit_log', 'instances', 'reports', 'signing_keys', 'server_secrets']) {
      expect(dump).toContain(`-- public.${table}\n(`)
    }
    expect(dump).toContain(MARKER)
    expect(givenAway(secrets.values(), dump)).toEqual([])
  })

  test('would be found out, had it left one', async () => {
    await query(cluster.databaseUrl, 'create table planted (held jsonb)')
    for (const kind of KINDS) {
      const one = [...secrets.values()].find((secret) => secret.kind === kind)
      const held = JSON.stringify({ deep: [{ inside: `x=${one?.text};` }] })
      await query(cluster.databaseUrl, `truncate planted; insert into planted values ('${held}')`)
      expect(givenAway(secrets.values(), await dumpTables(cluster.databaseUrl))).toEqual([kind])
      expect(givenAway(secrets.values(), `${log}\n{"level":"info","msg":"${one?.text}"}`)).toEqual([kind])
    }
    await query(cluster.databaseUrl, 'drop table planted')
  })
})

const ETERNAL = { expires_at: null, seat_limit: null }
