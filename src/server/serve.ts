// One process that serves: its part of the bounds, the live channel, the app, and the listening socket.
import type { Settings } from '../config/settings.ts'
import { SYNC_PATH } from '../contract/sync.ts'
import { shippedMigrations } from '../db/migrate.ts'
import { instancePipeline } from '../domain/instance-api/flow/pipeline.ts'
import type { Services } from '../domain/kernel/context.ts'
import { createApp } from '../http/app.ts'
import { heldBodies } from '../http/middleware/held-bodies.ts'
import { instanceGate, vendorGate } from '../http/middleware/overload.ts'
import { systemClock } from '../platform/clock.ts'
import type { MetricsSnapshot } from '../platform/metrics-prom.ts'
import { rateLimitOf } from '../platform/rate-limit.ts'
import type { Background } from './background.ts'
import type { Closing } from './closing.ts'
import type { Connections } from './connections.ts'
import { drain, linger } from './drain.ts'
import { listen } from './listen.ts'
import { serverMetrics } from './metrics.ts'
import { newcomersOf } from './newcomers.ts'
import { checkReadiness } from './readiness.ts'
import { shareOf } from './shares.ts'
import { openSync } from './sync/sync-server.ts'
import { peerAddress, trustedProxies } from './trusted-proxies.ts'

export interface ServeOptions {
  services: Services
  connections: Connections
  /** Of the whole server. */
  settings: Settings
  processes: number
  version: string
  isStopping: () => boolean
  /** Begins what this process does besides, once it listens; it ends with the requests. */
  background: () => readonly Background[]
  /** Drains and closes what was opened here. */
  opened: Closing
  /** The metrics of all processes; without it this one is the only one. */
  allMetrics?: () => Promise<MetricsSnapshot[]>
}

export interface Serving {
  readonly port: number
  /** The counts of this process. */
  snapshot(): Promise<MetricsSnapshot>
  /** Answers everything for as long as the settings say, and sends those away who keep their connections. */
  linger(): Promise<void>
}

/** Enough that no connection idles while a request reads its body or signs its answer. */
const PLACES_PER_CONNECTION = 2

/** @throws StartError when the address cannot be had. */
export async function serve(options: ServeOptions): Promise<Serving> {
  const { connections, isStopping, opened } = options
  const { watchdog, guard, url, connection } = connections
  const settings = shareOf(options.settings, options.processes)
  const services: Services = {
    ...options.services,
    settings: { ...options.services.settings, syncUrl: syncUrl(settings) },
    newcomers: newcomersOf(settings, options.processes),
  }
  const { log } = services
  const shipped = await shippedMigrations()
  const { metrics, metricsText } = serverMetrics({
    services,
    watchdog,
    version: options.version,
    poolSize: settings.poolSize,
    ...(options.allMetrics ? { all: options.allMetrics } : {}),
  })
  const sync = await openSync({ services, databaseUrl: url, metrics })
  opened.add('live channel', sync.stop)
  let refusing = false
  const app = createApp({
    services,
    pipeline: instancePipeline({ ...services, connection }),
    metrics,
    metricsText,
    readiness: () => checkReadiness({ services, watchdog, guard, isStopping, shipped }),
    guard: watchdog.guard,
    peerAddress,
    isTrustedProxy: trustedProxies(settings.trustedProxies),
    rateLimit: rateLimitOf(systemClock, settings.rateLimit),
    credentialRateLimit: rateLimitOf(systemClock, settings.credentialRateLimit),
    gate: vendorGate(PLACES_PER_CONNECTION * settings.poolSize),
    instanceGate: instanceGate(settings.places),
    bodies: heldBodies(),
    isStopping: () => refusing,
    sync: sync.door,
  })
  const listener = await listen(app.fetch, settings, sync.sockets)
  const background = options.background()
  opened.add('requests and jobs', () => {
    refusing = true
    return drain(listener, [...background, sync], log)
  })
  return {
    port: listener.port,
    snapshot: metrics.snapshot,
    linger: () => linger(listener, settings.shutdownGraceSeconds, log),
  }
}

/** Where clients find the live channel. */
const syncUrl = ({ publicUrl }: Pick<Settings, 'publicUrl'>): string =>
  `${publicUrl.replace(/^http/, 'ws')}${SYNC_PATH}`
