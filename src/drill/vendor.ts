// The vendor of a drill: the real app on the scratch database, under a clock that the drill moves, called without a
// network; with a product, a tier and a license.
import { randomBytes } from 'node:crypto'
import { loadSettings } from '../config/settings.ts'
import { connectDatabase } from '../db/client.ts'
import { migrate } from '../db/migrate.ts'
import { ensurePartitions } from '../db/partitions.ts'
import { createAdminKey } from '../domain/admin-keys/create-admin-key.ts'
import { instancePipeline } from '../domain/instance-api/flow/pipeline.ts'
import type { Services } from '../domain/kernel/context.ts'
import { clockGuard } from '../domain/signing/clock-guard.ts'
import { createApp } from '../http/app.ts'
import type { KeyPairBytes } from '../mint/keys.ts'
import type { Logger } from '../platform/logger.ts'
import { noMetrics } from '../platform/metrics.ts'
import { unlimited } from '../platform/rate-limit.ts'
import { openServices } from '../server/open-services.ts'
import type { DrillClock } from './clock.ts'
import { must } from './steps.ts'

export const PRODUCT = 'drill'
export const FEATURE = 'audit_logs'
const URL_OF_THE_DRILL = 'https://drill.invalid'
const POOL_SIZE = 4
/** Days. Short, so that a key is retired after few leases. */
const GRACE_DAYS = 2

// biome-ignore lint/suspicious/noExplicitAny: a drill says itself what it expects of an answer.
export type Body = any

export interface Answer {
  status: number
  body: Body
}

export interface Vendor {
  readonly services: Services
  readonly url: string
  fetch(url: string, init?: RequestInit): Promise<Response>
  call(method: string, path: string, options?: { bearer?: string; body?: object }): Promise<Answer>
  /** With the owner's key, under /api/v1/admin. @throws DrillError unless it is answered 2xx. */
  admin(method: string, path: string, body?: object): Promise<Body>
  close(): Promise<void>
}

export interface VendorKeys {
  masterKey: Uint8Array
  root: KeyPairBytes
  /** False: key sets are signed on another machine. */
  rootIsHere: boolean
  /** Absent: one is made. */
  adminKey?: string
}

/** Opens the app as a process does when it starts. The owner's key is put into `keys` where it is missing. */
export async function openVendor(
  databaseUrl: string,
  keys: VendorKeys,
  clock: DrillClock,
  log: Logger,
): Promise<Vendor> {
  await migrate(databaseUrl)
  const connection = connectDatabase(databaseUrl, { poolSize: POOL_SIZE })
  const publicKey = Buffer.from(keys.root.publicKey).toString('hex')
  const settings = loadSettings({
    DATABASE_URL: databaseUrl,
    PUBLIC_URL: URL_OF_THE_DRILL,
    LEASEHOLD_MASTER_KEY: Buffer.from(keys.masterKey).toString('base64'),
    LEASEHOLD_ROOT_KEY: `public:${publicKey}`,
  })
  const rootKey = keys.rootIsHere
    ? ({ kind: 'private', pkcs8: keys.root.privateKey, publicKey } as const)
    : ({ kind: 'public', publicKey } as const)
  const { masterKey } = keys
  let services: Services
  try {
    await ensurePartitions(connection.db, clock.now())
    const own = { masterKey, rootKey }
    services = await openServices(connection.db, settings, own, log, clockGuard(), clock)
    keys.adminKey ??= await newOwner(services)
  } catch (error) {
    await connection.close()
    throw error
  }
  const app = createApp({
    services,
    pipeline: instancePipeline({ ...services, connection }),
    metrics: noMetrics,
    readiness: async () => ({ ready: true, checks: {} }),
    guard: (work) => work,
    peerAddress: () => '127.0.0.1',
    isTrustedProxy: () => false,
    rateLimit: unlimited,
  })
  const fetchHere = async (url: string, init?: RequestInit) => app.fetch(new Request(url, init))
  const call: Vendor['call'] = async (method, path, { bearer, body } = {}) => {
    const response = await fetchHere(`${URL_OF_THE_DRILL}${path}`, {
      method,
      headers: {
        ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const isJson = /json/.test(response.headers.get('Content-Type') ?? '')
    return { status: response.status, body: isJson ? await response.json() : await response.text() }
  }
  const bearer = keys.adminKey
  return {
    services,
    url: URL_OF_THE_DRILL,
    fetch: fetchHere,
    call,
    async admin(method, path, body) {
      const answer = await call(method, `/api/v1/admin${path}`, { bearer, ...(body ? { body } : {}) })
      must(answer.status < 300, `${method} ${path} was answered ${answer.status} ${answer.body.error ?? ''}`)
      return answer.body
    },
    close: connection.close,
  }
}

async function newOwner(services: Services): Promise<string> {
  const ctx = { ...services, actor: { kind: 'system', id: 'drill' } as const, requestId: 'req_drill' }
  return (await createAdminKey(ctx, { name: 'drill', role: 'owner', expires_at: null })).secret
}

export interface Sold {
  licenseId: string
  apiKey: string
  licenseKey: string
}

/** A product with its tier and customer, and one license of it with both kinds of key. */
export async function sell({ admin }: Vendor): Promise<Sold> {
  await admin('POST', '/products', { code: PRODUCT, name: 'Drill', instance_auth: 'token' })
  const tier = {
    product: PRODUCT,
    name: 'Free',
    code: 'free',
    rank: 0,
    features: [],
    limits: {},
    grace_days: 0,
  }
  await admin('POST', '/tiers', tier)
  const paid = { name: 'Pro', code: 'pro', rank: 10, features: [FEATURE], grace_days: GRACE_DAYS }
  await admin('POST', '/tiers', { ...tier, ...paid })
  const customer = await admin('POST', '/customers', { name: 'Drill', company: 'Drill' })
  const license = await admin('POST', '/licenses', {
    product: PRODUCT,
    tier: 'pro',
    customer_id: customer.id,
    expires_at: null,
  })
  const apiKey = await admin('POST', '/api-keys', { license_id: license.id, name: 'drill' })
  const licenseKey = await admin('POST', '/license-keys', { license_id: license.id, name: 'drill' })
  return { licenseId: license.id, apiKey: apiKey.api_key, licenseKey: licenseKey.license_key }
}

/** 32 random bytes, as the master key is. */
export const newMasterKey = (): Uint8Array => new Uint8Array(randomBytes(32))
