// What the app is built from: the services and the few things that only the runtime knows.
import type { Context as HonoContext } from 'hono'
import type { Pipeline } from '../domain/instance-api/flow/pipeline.ts'
import type { Services } from '../domain/kernel/context.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { RateLimit } from '../platform/rate-limit.ts'
import type { HeldBodies } from './middleware/held-bodies.ts'
import type { Gate } from './middleware/overload.ts'
import type { SyncDoor } from './sync.ts'

/** Answers of `/readyz`, each with what is wrong when it is. */
export interface Readiness {
  ready: boolean
  checks: Record<string, { ok: boolean; detail?: string }>
}

export interface AppDependencies {
  /** One for all requests; or one for each, where connections cannot outlive a request. */
  services: Services | ((c: HonoContext) => Services)
  /** Decides the requests of instances: of the process, or of each request. */
  pipeline: Pipeline | ((c: HonoContext) => Pipeline)
  metrics: Metrics
  /** Text of `/metrics`; absent where nobody scrapes. */
  metricsText?: () => Promise<{ text: string; contentType: string }>
  readiness: (c: HonoContext) => Promise<Readiness>
  /** Rejects when the database stops answering while the work waits for it. */
  guard: <T>(work: Promise<T>, c: HonoContext) => Promise<T>
  /** The peer's address as the runtime knows it. */
  peerAddress: (c: HonoContext) => string
  /** Addresses whose forwarded header counts (LEASEHOLD_TRUSTED_PROXIES). */
  isTrustedProxy: (address: string) => boolean
  /** Per address. */
  rateLimit: RateLimit
  /** Per credential; absent: without limit. */
  credentialRateLimit?: RateLimit
  /** Bounds what is under way at once; absent where each request has a process to itself. */
  gate?: Gate
  /** The same for the instance API; absent: `gate` is for it too. */
  instanceGate?: Gate
  /** Bounds the bodies that are on their way; absent: a time for each alone, where each request has a process to itself. */
  bodies?: HeldBodies
  /** Whether new work is refused because the process is about to end; absent where that is nobody's business. */
  isStopping?: () => boolean
  /** The live channel; absent where the runtime has none. */
  sync?: SyncDoor
}
