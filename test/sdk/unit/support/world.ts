// A platform for tests: a clock and timers that move by hand, storage in memory, and a license server in this process
// that signs with real keys. Nothing of the SDK is replaced.
import { createHash } from 'node:crypto'
import type { DirectiveClaims, KeySetKey, LicenseClaims } from '../../../../src/contract/claims.ts'
import { type Host, type HostStorage, limitOf, StorageFault } from '../../../../src/sdk/host/port.ts'
import type { LicenseOptions } from '../../../../src/sdk/options.ts'
import { startLicenseOn } from '../../../../src/sdk/start.ts'
import { DAY, HOUR, type VirtualClock, virtualClock } from '../../../../src/sdk/testing/clock.ts'
import { makePair, nodeJws, nodeRaw, type Pair } from '../../../unit/license/fixtures.ts'

export const ISSUER = 'https://license.example.com'
export const SERVER = 'https://license.example.com'
export const PRODUCT = 'keldris'
export { DAY, HOUR }

export interface MemoryFiles {
  files: Map<string, string>
  leader: object | null
  fails: 'read' | 'write' | 'lead' | 'all' | null
}

export const emptyFolder = (): MemoryFiles => ({ files: new Map(), leader: null, fails: null })

export function memoryStorage(folder: MemoryFiles): HostStorage {
  const me = {}
  const fail = (what: MemoryFiles['fails']) => {
    if (folder.fails === what || folder.fails === 'all') throw new StorageFault('denied', `no ${what}`)
  }
  return {
    place: 'memory',
    async read(name) {
      fail('read')
      return folder.files.get(name) ?? null
    },
    async write(name, text) {
      fail('write')
      if (text.length > limitOf(name)) throw new StorageFault('too_large', name)
      folder.files.set(name, text)
    },
    async remove(name) {
      folder.files.delete(name)
    },
    async setAside(name) {
      const text = folder.files.get(name)
      folder.files.delete(name)
      if (text !== undefined) folder.files.set(`${name}.aside`, text)
    },
    async lead() {
      fail('lead')
      folder.leader ??= me
      return folder.leader === me
    },
    async release() {
      if (folder.leader === me) folder.leader = null
    },
  }
}

export interface Received {
  path: string
  bearer: string | null
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of a request.
  body: any
  text: string
  init: RequestInit
}

export type Answer = Response | 'hang' | 'refuse'

const keys = { root: makePair(), licensePair: makePair(), controlPair: makePair(), raw: makePair() }

type DirectiveTarget = Pick<DirectiveClaims, 'nonce'> & { instance_id: string }

export interface FakeServer {
  root: Pair
  /** Signs license JWTs. */
  licensePair: Pair
  /** Signs directives and allotments. */
  controlPair: Pair
  raw: Pair
  received: Received[]
  down: boolean | 'hang'
  /** Whether the last request hangs. */
  hangs: boolean
  tokenLife: number
  /** Seconds by which the server's clock is ahead. */
  ahead: number
  license: Partial<LicenseClaims>
  directive: Partial<DirectiveClaims>
  keySetNumber: number
  keySetKeys: KeySetKey[] | null
  keySetFetches: number
  /** Answers in the server's place; null lets it answer. */
  override: ((request: Received) => Answer | null) | null
  chain: number
  iat(): number
  keySet(): string
  jwt(claims?: Partial<LicenseClaims> & Record<string, unknown>, pair?: Pair): string
  directiveFor(target: DirectiveTarget, claims?: Partial<DirectiveClaims>): string
  licenseKey(claims?: Record<string, unknown>): string
  fetch(url: string, init: RequestInit): Promise<Response>
  paths(): (string | undefined)[]
  last(path: string): Received | undefined
}

/** A license server as small as can be: one license, whose rights and directive the test decides. */
export function fakeServer(clock: Pick<VirtualClock, 'wall'>): FakeServer {
  const server: FakeServer = {
    ...keys,
    received: [],
    down: false,
    hangs: false,
    tokenLife: 86_400,
    ahead: 0,
    license: {},
    directive: {},
    keySetNumber: 7,
    keySetKeys: null,
    keySetFetches: 0,
    override: null,
    chain: 0,
    iat: (): number => Math.floor(clock.wall() / 1000) + server.ahead,
    keySet(): string {
      const iat = server.iat()
      return nodeJws(
        server.root,
        { alg: 'EdDSA', typ: 'leasehold-keys+jwt', kid: thumbprint(server.root) },
        {
          iss: ISSUER,
          number: server.keySetNumber,
          iat,
          exp: iat + 34_560_000,
          keys: server.keySetKeys ?? defaultKeys(server),
        },
      )
    },
    jwt(claims = {}, pair = server.licensePair) {
      const iat = server.iat()
      return nodeJws(
        pair,
        { alg: 'EdDSA', typ: 'leasehold-license+jwt', kid: thumbprint(pair) },
        {
          iss: ISSUER,
          aud: PRODUCT,
          sub: 'cus_1',
          jti: `jti_${server.received.length}_${iat}`,
          iat,
          exp: iat + server.tokenLife,
          license_id: 'lic_1',
          tier: 'pro',
          features: ['oidc', 'audit_logs'],
          limits: { max_agents: 100, max_users: -1 },
          grace_days: 30,
          org_name: 'Acme',
          ...server.license,
          ...claims,
        },
      )
    },
    directiveFor(body, claims = {}) {
      const iat = server.iat()
      return nodeJws(
        server.controlPair,
        { alg: 'EdDSA', typ: 'leasehold-directive+jwt', kid: thumbprint(server.controlPair) },
        {
          iss: ISSUER,
          aud: PRODUCT,
          sub: body.instance_id,
          license_id: 'lic_1',
          status: 'active',
          action: 'none',
          seq: 1,
          keys: server.keySetNumber,
          nonce: body.nonce,
          iat,
          exp: iat + 300,
          reason: '',
          ...server.directive,
          ...claims,
        },
      )
    },
    licenseKey(claims = {}) {
      return nodeRaw(server.raw, {
        product: PRODUCT,
        tier: 'pro',
        customer_id: 'cus_1',
        license_id: 'lic_1',
        offline: false,
        issued_at: server.iat() - 86_400,
        expires_at: server.iat() + 365 * 86_400,
        ...claims,
      })
    },
    async fetch(url: string, init: RequestInit): Promise<Response> {
      const { pathname } = new URL(url)
      server.hangs = server.down === 'hang'
      if (server.hangs) return hang(init)
      if (server.down) throw new TypeError('fetch failed')
      if (pathname === '/.well-known/leasehold-keys') {
        server.keySetFetches++
        return new Response(server.keySet())
      }
      const request: Received = {
        path: pathname,
        bearer: new Headers(init.headers).get('Authorization')?.slice('Bearer '.length) ?? null,
        body: JSON.parse(String(init.body)),
        text: String(init.body),
        init,
      }
      server.received.push(request)
      const other = server.override?.(request)
      server.hangs = other === 'hang'
      if (other === 'hang') return hang(init)
      if (other === 'refuse') throw new TypeError('fetch failed')
      return other ?? answer(server, request)
    },
    paths: (): (string | undefined)[] => server.received.map(({ path }) => path.split('/').at(-1)),
    last: (path: string): Received | undefined =>
      server.received.findLast((request) => request.path.endsWith(path)),
  }
  return server
}

function answer(server: FakeServer, { path, body }: Received): Response {
  const directive = server.directiveFor(body)
  const { status = 'active', action = 'none' } = server.directive
  const denied = action === 'kill' || ['suspended', 'revoked', 'expired'].includes(status)
  const refresh_token = `rt${server.chain++}`
  const jwt = () => server.jwt({ instance_id: body.instance_id })
  switch (path.split('/').at(-1)) {
    case 'token':
    case 'refresh':
      if (denied) return json({ error: `license_${status}`, message: 'No.', directive }, 403)
      return json({ jwt: jwt(), expires_in: server.tokenLife, message: null, refresh_token, directive })
    case 'register':
      return json({ status: 'registered', instance_token: 'lit_1', directive })
    case 'heartbeat':
      return json({
        status: 'ok',
        action: 'none',
        config: {
          feature_refresh_token: refresh_token,
          heartbeat_interval: 21_600,
          refresh_interval: 86_400,
        },
        directive,
      })
    case 'activate':
    case 'validate':
      if (denied) return json({ status: 'revoked', reason: `license_${status}`, directive })
      return json({ status: 'active', jwt: jwt(), refresh_token, directive })
    case 'deactivate':
      return json({ status: 'deactivated' })
    default:
      return json({ error: 'not_found' }, 404)
  }
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json', ...headers },
  })
}

function hang(init: RequestInit): Promise<Response> {
  return new Promise((_resolve, reject) => {
    init.signal?.addEventListener('abort', () => reject(new Error('aborted')))
  })
}

export function thumbprint(pair: Pair): string {
  return createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${pair.x}"}`).digest('base64url')
}

function defaultKeys(server: Pick<FakeServer, 'licensePair' | 'controlPair' | 'raw'>): KeySetKey[] {
  const role = { product: PRODUCT, status: 'active', nbf: 0 } as const
  return [
    { kid: thumbprint(server.licensePair), x: server.licensePair.x, use: 'license', ...role },
    { kid: thumbprint(server.controlPair), x: server.controlPair.x, use: 'control', ...role },
    { kid: thumbprint(server.raw), x: server.raw.x, use: 'raw', ...role },
  ]
}

export interface World {
  time: VirtualClock
  server: FakeServer
  folder: MemoryFiles
  lines: string[]
  /** A new process on the same machine: its own host, the same clock and folder. */
  host(): Host
  options(more?: Partial<LicenseOptions>): LicenseOptions
  /** Every process so far ends as by SIGKILL; the lock is as good as stale. */
  kill(): void
}

export function makeWorld(): World {
  const time = virtualClock('2026-03-01T12:00:00Z')
  const server = fakeServer(time)
  const folder = emptyFolder()
  const lines: string[] = []
  const processes: { alive: boolean }[] = []
  let seed = 1
  return {
    time,
    server,
    folder,
    lines,
    kill() {
      for (const process of processes) process.alive = false
      folder.leader = null
    },
    host: () => {
      const process = { alive: true }
      processes.push(process)
      return {
        fetch: (url, init) => {
          const answered = server.fetch(url, init)
          // A request that hangs is not waited for.
          return server.hangs ? answered : time.track(answered)
        },
        openStorage: async () => {
          const storage = memoryStorage(folder)
          // What is read may be verified next.
          return { ...storage, read: (name) => time.track(storage.read(name)) }
        },
        readFile: async () => null,
        random: (count) => {
          seed++
          return new Uint8Array(createHash('sha256').update(`${seed}`).digest().subarray(0, count))
        },
        clock: time,
        timers: {
          after: (ms, work) =>
            time.timers.after(ms, () => {
              if (process.alive) work()
            }),
        },
        facts: { hostname: 'box', os: 'linux', arch: 'x64' },
        log: {
          info: (message) => lines.push(`info ${message}`),
          warn: (message) => lines.push(`warn ${message}`),
          error: (message) => lines.push(`error ${message}`),
        },
      }
    },
    options: (more = {}) => ({
      product: PRODUCT,
      version: '1.4.0',
      serverUrl: SERVER,
      trust: { issuer: ISSUER, roots: [keys.root.x] },
      community: { tier: 'free', features: ['basic'], limits: { max_agents: 3, max_users: 3 } },
      ...more,
    }),
  }
}

/** Starts, with time passing until the start is over. Returns the license and the milliseconds it took. */
export async function start(world: World, more: Partial<LicenseOptions> = {}) {
  const began = world.time.monotonic()
  const license = await world.time.during(startLicenseOn(world.host(), world.options(more)))
  return { license, took: world.time.monotonic() - began }
}

export const warnings = (world: World) => world.lines.filter((line) => line.startsWith('warn '))
