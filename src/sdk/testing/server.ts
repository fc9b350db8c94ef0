// A license server inside the test's process: real signatures, and every fault that a network has. It listens nowhere;
// its `fetch` stands in for the platform's.
import type { Action } from '../../contract/claims.ts'
import { ENVELOPE_UNLIMITED, LAST_SECOND } from '../../contract/claims.ts'
import { SYNC_CLOSE } from '../../contract/sync.ts'
import type { Host } from '../host/port.ts'
import type { LicenseOptions, TrustOptions } from '../options.ts'
import { answer, readBody } from './answers.ts'
import { testChannel } from './channel.ts'
import type { VirtualClock } from './clock.ts'
import { type MemoryDisk, memoryDisk } from './disk.ts'
import {
  type ActiveFault,
  connectionFault,
  cutShort,
  type Endpoint,
  type Fault,
  type FaultOptions,
  faultList,
  troubled,
  wait,
} from './faults.ts'
import { type TestHost, testHost } from './host.ts'
import { makeKeys } from './keys.ts'
import type { TestLicense } from './license.ts'
import { signEnvelope, signLicenseKey } from './signing.ts'
import { licenseExp } from './standing.ts'
import { issueJwt, randomHex, type World } from './world.ts'

export interface TestServerOptions extends Partial<TestLicense> {
  clock: VirtualClock
  /** Default `test-product`. */
  product?: string
  /** Offers the live channel, on which `push` speaks. Default `false`. */
  sync?: boolean
  /** What a downgraded instance is granted. Default: tier `free`, nothing else. */
  lowest?: Pick<TestLicense, 'tier' | 'features' | 'limits'>
}

/** One request that arrived, or tried to. */
export interface SeenRequest {
  /** Null: it went to another host, or to a path that the server does not know. */
  endpoint: Endpoint | null
  url: string
  bearer: string | null
  body: Readonly<Record<string, unknown>>
  /** Wall clock, unix milliseconds. */
  at: number
}

export interface TestServer {
  readonly url: string
  /** The pinned root, and the key of license keys and envelopes, as a product that must start offline pins it. */
  readonly trust: TrustOptions
  readonly apiKey: string
  readonly product: string
  /** The disk of the one machine that `options()` starts on. */
  readonly disk: MemoryDisk
  /** Oldest first. */
  readonly requests: readonly SeenRequest[]
  /** What a host's `fetch` has to be. */
  readonly fetch: Host['fetch']
  /**
   * Options for `startLicense` on this machine, as a new process of it; any of them can be given another way. Without
   * another credential the API key is used.
   */
  options<F extends string = string, L extends string = string>(
    given?: Partial<LicenseOptions<F, L>>,
  ): LicenseOptions<F, L> & { host: Host }
  /** A new process on this machine, to look at its log or to kill it: `options({ host })`. */
  host(): TestHost

  /** Something goes wrong from now on, see `Fault`. The last word about an endpoint counts. */
  fail(fault: Fault, options?: FaultOptions): void
  heal(): void
  /** Answers instead of the server where it gives an answer: for faults of your own. Null ends it. */
  intercept(work: ((request: SeenRequest) => Response | Promise<Response> | null) | null): void
  /** Milliseconds that the server's clock is ahead of the machine's. */
  skewClock(ms: number): void
  /** The server was restored from an old backup: it knows no instance token any more. */
  forgetInstances(): void
  /** New license and control keys from now on. The old ones go on verifying, unless they were stolen: `revoked`. */
  rotateKeys(old?: 'retiring' | 'revoked'): Promise<void>
  /** Seconds between heartbeats and refreshes that the server asks for. */
  setIntervals(intervals: { heartbeat?: number; refresh?: number }): void

  /** Says something on the live channel. Default: that everything is to be asked for anew. */
  push(message?: object | string): void
  /** Ends the connections of the live channel. Default 1001, as a server that restarts does. */
  hangUp(code?: number): void

  /** The vendor sells something else: counts from the next lease on. */
  change(license: Partial<TestLicense>): void
  suspend(): void
  revoke(): void
  reinstate(): void
  /** The license and its grace end now. */
  expire(): void
  kill(reason?: string): void
  downgrade(reason?: string): void
  /** Ends a kill or a downgrade. */
  clear(): void

  /** A static license JWT, for `token`. Without `refreshable` it is all there will ever be. */
  token(options?: { instanceId?: string; seconds?: number; refreshable?: boolean }): Promise<string>
  /** For `licenseKey`. `offline` makes it a license of its own (T6). */
  licenseKey(options?: { offline?: boolean; expiresAt?: string }): Promise<string>
  /** For `envelope`. */
  envelope(options?: { expiresAt?: string; tenantId?: string; instanceId?: string }): Promise<string>
}

const PATHS: Readonly<Record<string, Endpoint>> = {
  '/api/v1/licenses/token': 'exchange',
  '/api/v1/licenses/refresh': 'refresh',
  '/api/v1/instances/register': 'register',
  '/api/v1/instances/heartbeat': 'heartbeat',
  '/api/v1/licenses/activate': 'activate',
  '/api/v1/licenses/validate': 'validate',
  '/api/v1/licenses/deactivate': 'deactivate',
  '/api/v1/telemetry': 'telemetry',
  '/.well-known/leasehold-keys': 'key_set',
  '/.well-known/jwks.json': 'jwks',
  '/api/v1/signing-key': 'signing_key',
}

const URL_OF_SERVER = 'https://license.test'

/** Makes keys and a license, and waits for requests. */
export async function testServer(options: TestServerOptions): Promise<TestServer> {
  const { clock, product = 'test-product', lowest = { tier: 'free', features: [], limits: {} } } = options
  const { tier = 'pro', features = [], limits = {}, graceDays = 30, trial = false } = options
  const { leaseSeconds = 86_400, expiresAt = null } = options
  let skew = 0
  let interceptor: Parameters<TestServer['intercept']>[0] = null
  const now = () => Math.floor((clock.wall() + skew) / 1000)
  const world: World = {
    issuer: URL_OF_SERVER,
    url: URL_OF_SERVER,
    product,
    keys: await makeKeys(URL_OF_SERVER, product, now),
    license: {
      id: crypto.randomUUID(),
      customer: 'test-customer',
      status: 'active',
      ...{ tier, features, limits, graceDays, leaseSeconds, expiresAt, trial },
    },
    lowest,
    action: { action: 'none', seq: 0, reason: '' },
    instances: new Map(),
    apiKey: `sk-test-${randomHex(12)}`,
    licenseKeys: new Set(),
    issued: new Set(),
    intervals: { heartbeat: 21_600, refresh: 86_400 },
    sync: options.sync ? testChannel(clock, URL_OF_SERVER) : null,
    now,
  }
  licenseExp(world.license)
  const faults = faultList()
  const requests: SeenRequest[] = []
  const disk = memoryDisk()

  async function respond(request: SeenRequest, struck: ActiveFault | null): Promise<Response> {
    const own = interceptor?.(request) ?? (struck && troubled(struck))
    if (own) return own
    if (request.endpoint === null) return Response.json({ error: 'not_found' }, { status: 404 })
    return answer(world, {
      endpoint: request.endpoint,
      bearer: request.bearer,
      body: { ...request.body },
      forged: struck?.fault === 'forged',
      replayed: struck?.fault === 'replayed',
    })
  }

  const fetch: Host['fetch'] = async (address, init) => {
    const url = new URL(address)
    const endpoint = url.origin === URL_OF_SERVER ? (PATHS[url.pathname] ?? null) : null
    const authorization = new Headers(init.headers).get('Authorization')
    const request: SeenRequest = {
      endpoint,
      url: address,
      bearer: authorization?.startsWith('Bearer ') ? authorization.slice(7) : null,
      body: readBody(typeof init.body === 'string' ? init.body : ''),
      at: clock.wall(),
    }
    requests.push(request)
    if (url.origin !== URL_OF_SERVER) throw connectionFault('ENOTFOUND')
    const struck = endpoint === null ? null : faults.strike(endpoint)
    if (struck?.fault === 'down') throw connectionFault('ECONNREFUSED')
    if (struck?.fault === 'slow') await wait(clock.timers, struck.ms, init.signal ?? null)
    const response = await clock.track(respond(request, struck))
    if (struck?.fault === 'reset') throw connectionFault('ECONNRESET')
    return struck?.fault === 'truncated' ? cutShort(response) : response
  }

  function act(action: Action, reason: string): void {
    const seq = Math.max(world.action.seq + 1, clock.wall() + skew)
    world.action = { action, seq, reason }
  }

  const openSocket = world.sync ? { openSocket: world.sync.open } : {}
  const host = () => testHost({ clock, fetch, disk, ...openSocket })
  const seconds = (time: string | undefined) => (time === undefined ? null : licenseExp({ expiresAt: time }))
  const { root, raw } = world.keys
  const trust: TrustOptions = { issuer: URL_OF_SERVER, roots: [root.x], keys: [{ x: raw.x, use: 'raw' }] }

  return {
    url: URL_OF_SERVER,
    trust,
    apiKey: world.apiKey,
    product,
    disk,
    requests,
    fetch,
    host,
    options(given = {}) {
      const { token, tokenFile, licenseKey, envelope } = given
      const other = [token, tokenFile, licenseKey, envelope].some((credential) => credential !== undefined)
      const apiKey = other ? {} : { apiKey: world.apiKey }
      return { product, version: '1.0.0', serverUrl: URL_OF_SERVER, trust, ...apiKey, host: host(), ...given }
    },
    fail: faults.fail,
    heal: faults.heal,
    intercept(work) {
      interceptor = work
    },
    skewClock(ms) {
      skew = ms
    },
    forgetInstances() {
      world.instances.clear()
    },
    rotateKeys: (old = 'retiring') => world.keys.rotate(old),
    setIntervals(intervals) {
      Object.assign(world.intervals, intervals)
    },
    push: (message = { type: 'resync_required', event: 0 }) => world.sync?.push(message),
    hangUp: (code = SYNC_CLOSE.going_away) => world.sync?.end(code),
    change(license) {
      licenseExp({ expiresAt: license.expiresAt ?? null })
      Object.assign(world.license, license)
    },
    suspend() {
      world.license.status = 'suspended'
    },
    revoke() {
      world.license.status = 'revoked'
    },
    reinstate() {
      world.license.status = 'active'
    },
    expire() {
      const end = (now() - 1 - world.license.graceDays * 86_400) * 1000
      world.license.expiresAt = new Date(end).toISOString()
    },
    kill: (reason = 'test') => act('kill', reason),
    downgrade: (reason = 'test') => act('downgrade', reason),
    clear: () => act('none', ''),
    token({ instanceId, seconds: life = 86_400, refreshable = false } = {}) {
      const bound = instanceId === undefined ? {} : { instanceId }
      return issueJwt(world, { exp: now() + life, inGrace: false, refreshable, ...bound })
    },
    async licenseKey({ offline = false, expiresAt: end } = {}) {
      const key = await signLicenseKey(world.keys.raw, {
        product,
        tier: world.license.tier,
        customer_id: world.license.customer,
        license_id: world.license.id,
        offline,
        issued_at: now(),
        expires_at: seconds(end) ?? licenseExp(world.license) ?? LAST_SECOND,
      })
      world.licenseKeys.add(key)
      return key
    },
    envelope({ expiresAt: end, tenantId = 'test-tenant', instanceId } = {}) {
      const { license } = world
      const unlimited = (limit: number) => (limit < 0 ? ENVELOPE_UNLIMITED : limit)
      return signEnvelope(world.keys.raw, {
        exp: seconds(end) ?? licenseExp(license) ?? now() + 365 * 86_400,
        gracePeriodDays: license.graceDays,
        iat: now(),
        licenseId: license.id,
        limits: Object.fromEntries(
          Object.entries(license.limits)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, limit]) => [name, unlimited(limit)]),
        ),
        tenantId,
        tier: license.tier,
        features: [...license.features],
        ...(instanceId === undefined ? {} : { instanceId }),
      })
    },
  }
}
