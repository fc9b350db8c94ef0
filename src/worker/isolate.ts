// What an isolate keeps from request to request. Anything in it may vanish at any time; no connection is in it.
import { type Bindings, loadWorkerSettings, type WorkerSettings } from '../config/worker-settings.ts'
import { directPipeline } from '../domain/instance-api/flow/direct-pipeline.ts'
import type { Newcomers } from '../domain/kernel/context.ts'
import type { ReferenceCache } from '../domain/kernel/reference.ts'
import { referenceCache } from '../domain/reference/reference-cache.ts'
import { type ClockGuard, clockGuard } from '../domain/signing/clock-guard.ts'
import { type KeyringMemory, keyringMemory } from '../domain/signing/keyring.ts'
import { createApp } from '../http/app.ts'
import type { RootSigningKey } from '../mint/keys.ts'
import { systemClock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { consoleLogger } from '../platform/logger-console.ts'
import { noMetrics } from '../platform/metrics.ts'
import { rateLimitOf } from '../platform/rate-limit.ts'
import { newcomersOf } from '../server/newcomers.ts'
import { addressOf } from './address-limit.ts'
import { type OpenRequest, readinessOf } from './open-request.ts'

/** An isolate has 128 MB for everything. */
const MOST_ROWS = 20_000

export interface Isolate {
  readonly settings: WorkerSettings
  readonly log: Logger
  readonly guard: ClockGuard
  readonly keyring: KeyringMemory
  readonly reference: ReferenceCache
  readonly newcomers: Newcomers
  readonly app: ReturnType<typeof createApp>
  /** Monotonic milliseconds at the last measurement of the clock's skew. */
  measuredAt: number | null
  pepper: Uint8Array | null
  /** Null until it is opened, and where the root key is kept elsewhere. */
  root: RootSigningKey | null
}

const isolates = new WeakMap<object, Isolate>()

/** @throws StartError when the settings are wrong. */
export function isolateOf(bindings: Bindings): Isolate {
  let isolate = isolates.get(bindings)
  if (!isolate) {
    isolate = newIsolate(loadWorkerSettings(bindings))
    isolates.set(bindings, isolate)
  }
  return isolate
}

function newIsolate(settings: WorkerSettings): Isolate {
  const guard = clockGuard()
  return {
    settings,
    log: consoleLogger({ level: settings.logLevel }),
    guard,
    keyring: keyringMemory(),
    reference: referenceCache({
      masterKey: settings.masterKey,
      clock: systemClock,
      mostRows: MOST_ROWS,
      mayBeSigned: () => guard.check(),
    }),
    newcomers: newcomersOf(settings),
    app: newApp(settings),
    measuredAt: null,
    pepper: null,
    root: null,
  }
}

/** Built once, because it is made of hundreds of schemas. What belongs to one request is its `env`. */
function newApp(settings: WorkerSettings): Isolate['app'] {
  const requestOf = ({ env }: { env: unknown }) => env as OpenRequest
  return createApp({
    services: (c) => requestOf(c).services,
    pipeline: (c) => {
      const { services, connection } = requestOf(c)
      return directPipeline({ ...services, connection })
    },
    metrics: noMetrics,
    readiness: (c) => readinessOf(requestOf(c)),
    guard: (work, c) => requestOf(c).watchdog.guard(work),
    peerAddress: (c) => addressOf(c.req.raw),
    isTrustedProxy: () => false,
    rateLimit: rateLimitOf(systemClock, settings.rateLimit),
    credentialRateLimit: rateLimitOf(systemClock, settings.credentialRateLimit),
  })
}
