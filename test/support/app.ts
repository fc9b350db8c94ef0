// The whole server in this process: the real app on a real port, on a database of its own, with a virtual clock.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { connectDatabase, type DatabaseConnection } from '../../src/db/client.ts'
import { createAdminKey } from '../../src/domain/admin-keys/create-admin-key.ts'
import { instancePipeline, type PipelineOptions } from '../../src/domain/instance-api/flow/pipeline.ts'
import type { Ctx, DomainSettings, Newcomers, Services } from '../../src/domain/kernel/context.ts'
import { referenceCache } from '../../src/domain/reference/reference-cache.ts'
import { keyringCache } from '../../src/domain/signing/keyring.ts'
import { openPepper } from '../../src/domain/signing/server-secrets.ts'
import { createApp } from '../../src/http/app.ts'
import type { AppDependencies } from '../../src/http/environment.ts'
import { generateKeyPair, openRootKey } from '../../src/mint/keys.ts'
import type { Logger } from '../../src/platform/logger.ts'
import { noMetrics } from '../../src/platform/metrics.ts'
import { randomBytes } from '../../src/platform/random.ts'
import { unlimited } from '../../src/platform/rate-limit.ts'
import { openSync } from '../../src/server/sync/sync-server.ts'
import { cloneDatabase } from './database.ts'
import { undocumented } from './documented.ts'
import { failureLog } from './failure-log.ts'
import { virtualClock } from './virtual-clock.ts'

export const ISSUER = 'https://license.example.com'

export interface Answer {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of an answer.
  body: any
  text: string
}

export interface CallOptions {
  bearer?: string | undefined
  body?: unknown
  headers?: Record<string, string>
}

export type Call = (method: string, path: string, options?: CallOptions) => Promise<Answer>

export interface TestApp {
  url: string
  databaseUrl: string
  services: Services
  ctx: Ctx
  clock: ReturnType<typeof virtualClock>
  /** An owner's. */
  adminKey: string
  call: Call
  /** `call` with the owner's key, under /api/v1/admin. */
  admin: (method: string, path: string, body?: unknown) => Promise<Answer>
  stop(): Promise<void>
}

export interface TestAppOptions {
  settings?: Partial<DomainSettings>
  log?: Logger
  /** Another process's database: shares its keys. */
  beside?: TestApp
  dependencies?: Partial<AppDependencies>
  startAt?: string
  /** Bounds strangers; without it, nobody is counted. */
  newcomers?: Newcomers
  /** How the requests of instances are gathered. */
  pipeline?: PipelineOptions
  /** With the live channel. */
  sync?: { pollMs?: number }
}

export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { beside } = options
  const own = beside ? null : await cloneDatabase()
  const databaseUrl = beside?.databaseUrl ?? own?.url ?? ''
  const connection = connectDatabase(databaseUrl, { poolSize: 10 })
  const clock = beside?.clock ?? virtualClock(options.startAt ?? '2026-03-01T12:00:00Z')
  const services = await openTestServices(connection, clock, options)
  const ctx: Ctx = { ...services, actor: { kind: 'system', id: 'test' }, requestId: 'req_test' }
  const adminKey =
    beside?.adminKey ?? (await createAdminKey(ctx, { name: 'test', role: 'owner', expires_at: null })).secret

  const sync = options.sync
    ? await openSync({ services, databaseUrl, metrics: noMetrics, ...options.sync })
    : null
  const app = createApp({
    services,
    pipeline: instancePipeline({ ...services, connection }, options.pipeline),
    metrics: noMetrics,
    readiness: async () => ({ ready: true, checks: {} }),
    guard: (work) => work,
    peerAddress: () => '127.0.0.1',
    isTrustedProxy: () => false,
    rateLimit: unlimited,
    ...(sync ? { sync: sync.door } : {}),
    ...options.dependencies,
  })
  const server = serve({
    fetch: app.fetch,
    port: 0,
    hostname: '127.0.0.1',
    ...(sync ? { websocket: { server: sync.sockets } } : {}),
  })
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const call = caller(url)
  return {
    url,
    databaseUrl,
    services,
    ctx,
    clock,
    adminKey,
    call,
    admin: (method, path, body) => call(method, `/api/v1/admin${path}`, { bearer: adminKey, body }),
    async stop() {
      await sync?.stop()
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      await connection.close()
      await own?.drop()
    },
  }
}

async function openTestServices(
  { db }: DatabaseConnection,
  clock: Services['clock'],
  { beside, settings, newcomers, log = failureLog }: TestAppOptions,
): Promise<Services> {
  const masterKey = beside?.services.masterKey ?? randomBytes(32)
  const rootKey = beside?.services.rootKey ?? (await openRootKey((await generateKeyPair()).privateKey))
  return {
    db,
    clock,
    random: randomBytes,
    log,
    settings: {
      issuer: ISSUER,
      publicUrl: ISSUER,
      tokenLife: 86_400,
      entitlementLife: 86_400,
      offlineLease: 31_622_400,
      staleAfter: 172_800,
      heartbeatInterval: 21_600,
      refreshInterval: 86_400,
      actionBudget: { perKey: 20, inAll: 100 },
      ...settings,
    },
    keyring: keyringCache(db, masterKey, clock),
    reference: referenceCache({ masterKey, clock }),
    ...(newcomers ? { newcomers } : {}),
    masterKey,
    rootKey,
    rootPublicKeyHex: Buffer.from(rootKey.publicKey).toString('hex'),
    pepper: await openPepper(db, masterKey, randomBytes, clock.now()),
  }
}

/**
 * Sends JSON when there is a body, reads JSON when the answer says it is some, and fails on an undocumented answer.
 * `documented: false` is for what another program serves beside the server's own routes.
 */
export function caller(url: string, { documented = true } = {}): Call {
  return async (method, path, { bearer, body, headers } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('Content-Type') ?? '')
    const read = isJson && text !== '' ? JSON.parse(text) : undefined
    if (documented && method !== 'HEAD') {
      const contentType = response.headers.get('Content-Type') ?? ''
      const fault = undocumented(method, path, { status: response.status, contentType, body: read ?? text })
      if (fault !== null) throw new Error(fault)
    }
    return { status: response.status, headers: response.headers, text, body: read }
  }
}
