// One of the two servers that http-cost.ts compares: `bare` is hono and zod alone, `ours` the app with all that a
// request passes in production. Tells its port and the CPU time it has used over the IPC channel.
import { writeFile } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { createRoute } from '@hono/zod-openapi'
import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { heartbeatRequest } from '../../../src/contract/instance-api.schema.ts'
import { heartbeatRoute, json } from '../../../src/contract/routes.ts'
import { connectDatabase, connectProbe } from '../../../src/db/client.ts'
import { databaseWatchdog } from '../../../src/db/watchdog.ts'
import type { Services } from '../../../src/domain/kernel/context.ts'
import { referenceCache } from '../../../src/domain/reference/reference-cache.ts'
import { keyringCache } from '../../../src/domain/signing/keyring.ts'
import { createApp } from '../../../src/http/app.ts'
import { heldBodies } from '../../../src/http/middleware/held-bodies.ts'
import { instanceGate, vendorGate } from '../../../src/http/middleware/overload.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { pinoLogger } from '../../../src/platform/logger-pino.ts'
import { promMetrics } from '../../../src/platform/metrics-prom.ts'
import { randomBytes } from '../../../src/platform/random.ts'
import { tokenBuckets } from '../../../src/platform/rate-limit.ts'
import { listen } from '../../../src/server/listen.ts'
import { peerAddress, trustedProxies } from '../../../src/server/trusted-proxies.ts'
import { ECHO_PATH, HEALTH_PATH } from './requests.ts'

/** Never reached: no request of this comparison asks the database. */
const NOWHERE = 'postgres://nobody@127.0.0.1:1/nowhere'
/** A limit that is counted and never met. */
const PER_MINUTE = 1_000_000_000
const HOST = '127.0.0.1'

function bare(): Promise<number> {
  const app = new Hono()
  app.get(HEALTH_PATH, (c) => c.json({ status: 'ok' }))
  app.post(ECHO_PATH, zValidator('json', heartbeatRequest), (c) => c.json(c.req.valid('json')))
  const server = createAdaptorServer({ fetch: app.fetch })
  return new Promise((resolve) => {
    server.listen(0, HOST, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : 0)
    })
  })
}

async function ours(): Promise<number> {
  const app = createApp({
    services: services(),
    pipeline: { size: 0, submit: () => Promise.reject(new Error('nothing is recorded here')) },
    metrics: promMetrics(),
    readiness: async () => ({ ready: true, checks: {} }),
    guard: databaseWatchdog(connectProbe(NOWHERE)).guard,
    peerAddress,
    isTrustedProxy: trustedProxies([]),
    rateLimit: tokenBuckets(systemClock, PER_MINUTE),
    credentialRateLimit: tokenBuckets(systemClock, PER_MINUTE),
    gate: vendorGate(20),
    instanceGate: instanceGate(512),
    bodies: heldBodies(),
    isStopping: () => false,
  })
  const echoRoute = {
    ...heartbeatRoute,
    path: ECHO_PATH,
    operationId: 'echo',
    responses: { 200: json(heartbeatRequest, 'The report as it was understood.') },
  }
  app.openapi(createRoute(echoRoute), (c) => c.json(c.req.valid('json'), 200))
  const { port } = await listen(app.fetch, { host: HOST, port: 0 })
  return port
}

function services(): Services {
  const { db } = connectDatabase(NOWHERE, { poolSize: 1 })
  const masterKey = randomBytes(32)
  return {
    db,
    clock: systemClock,
    random: randomBytes,
    log: pinoLogger({ level: 'info' }),
    settings: {
      issuer: 'https://license.example.com',
      publicUrl: 'https://license.example.com',
      tokenLife: 86_400,
      entitlementLife: 86_400,
      offlineLease: 31_622_400,
      staleAfter: 172_800,
      heartbeatInterval: 21_600,
      refreshInterval: 86_400,
      actionBudget: null,
    },
    keyring: keyringCache(db, masterKey, systemClock),
    reference: referenceCache({ masterKey, clock: systemClock }),
    masterKey,
    rootKey: null,
    rootPublicKeyHex: '',
    pepper: randomBytes(32),
  }
}

async function profileInto(folder: string): Promise<void> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  process.once('disconnect', async () => {
    const { profile } = await session.post('Profiler.stop')
    await writeFile(join(folder, `${process.argv[2]}.cpuprofile`), JSON.stringify(profile))
    process.exit()
  })
}

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ cpuMs: (user + system) / 1000 })
})
const port = await (process.argv[2] === 'ours' ? ours() : bare())
const { HTTP_COST_PROFILE } = process.env
if (HTTP_COST_PROFILE) await profileInto(HTTP_COST_PROFILE)
else process.on('disconnect', () => process.exit())
process.send?.({ port })
