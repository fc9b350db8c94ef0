// The server process from start to stop. Each part lives in its own file; this one owns their order.
import { readFile } from 'node:fs/promises'
import { flushCompileCache } from 'node:module'
import type { Settings } from '../config/settings.ts'
import { SYNC_PATH } from '../contract/sync.ts'
import { connectDatabase, connectProbe } from '../db/client.ts'
import { requireCorrectedDriver } from '../db/corrected-driver.ts'
import { migrate, shippedMigrations } from '../db/migrate.ts'
import { ensurePartitions } from '../db/partitions.ts'
import { databaseWatchdog } from '../db/watchdog.ts'
import { instancePipeline } from '../domain/instance-api/flow/pipeline.ts'
import { clockGuard } from '../domain/signing/clock-guard.ts'
import { keySetOrigin } from '../domain/signing/key-set-origin.ts'
import { measureSkew } from '../domain/signing/measure-skew.ts'
import { createApp } from '../http/app.ts'
import { heldBodies } from '../http/middleware/held-bodies.ts'
import { instanceGate, vendorGate } from '../http/middleware/overload.ts'
import { systemClock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { rateLimitOf } from '../platform/rate-limit.ts'
import { startBackground } from './background.ts'
import { banner } from './banner.ts'
import { closing } from './closing.ts'
import { warnOfAnotherRoot, withLastingIssuer } from './continuity.ts'
import { drain, linger } from './drain.ts'
import { firstRun } from './first-run/first-run.ts'
import { listen } from './listen.ts'
import { serverMetrics } from './metrics.ts'
import { newcomersOf } from './newcomers.ts'
import { openPostgres } from './open-postgres.ts'
import { openServices } from './open-services.ts'
import { openOwnKeys } from './own-keys.ts'
import { checkReadiness } from './readiness.ts'
import { stopRequests } from './stop-requests.ts'
import { openSync } from './sync/sync-server.ts'
import { peerAddress, trustedProxies } from './trusted-proxies.ts'

/** Runs the server until it is told to stop; returns the exit code. @throws StartError when it cannot start. */
export async function runServer(settings: Settings, log: Logger): Promise<number> {
  const began = systemClock.monotonic()
  let abandon = () => {}
  const stop = stopRequests(log, () => abandon())
  const opened = closing(log)
  try {
    requireCorrectedDriver()
    const database = await openPostgres(settings, log)
    const { embedded } = database
    if (embedded) {
      opened.add('embedded database', embedded.stop)
      abandon = () => process.kill(embedded.pid, 'SIGINT')
      void embedded.died.then((why) => stop.fail(new Error(why), 'the embedded database ended: stopping'))
    }
    await migrate(database.url)
    const connection = connectDatabase(database.url, { poolSize: settings.poolSize })
    // Nothing is under way any more, or it was cut off: no reason to wait for it.
    opened.add('database connections', () => connection.client.end({ timeout: 1 }))
    const watchdog = databaseWatchdog(connectProbe(database.url))
    opened.add('database probe', watchdog.close)

    const guard = clockGuard()
    guard.measured(await measureSkew(connection.db, systemClock))
    const keys = await openOwnKeys(connection.db, database.dataDir, settings)
    const root = keys.rootKey.publicKey
    const origin = await keySetOrigin(connection.db, root)
    warnOfAnotherRoot(origin, root, log)
    const lasting = embedded ? await withLastingIssuer(settings, database.dataDir, origin, log) : settings
    const opening = await openServices(connection.db, lasting, keys, log, guard)
    const services = {
      ...opening,
      settings: { ...opening.settings, syncUrl: syncUrl(settings) },
      newcomers: newcomersOf(settings),
    }
    await ensurePartitions(connection.db, systemClock.now())
    const first = await firstRun(services, {
      dataDir: database.dataDir,
      demo: settings.demo,
      embedded: embedded !== null,
    })

    const version = await packageVersion()
    const isStopping = stop.isRequested
    let refusing = false
    const shipped = await shippedMigrations()
    const { metrics, metricsText } = serverMetrics({
      services,
      watchdog,
      version,
      poolSize: settings.poolSize,
    })
    const sync = await openSync({ services, databaseUrl: database.url, metrics })
    opened.add('live channel', sync.stop)
    const pipeline = instancePipeline({ ...services, connection })
    const app = createApp({
      services,
      pipeline,
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
    if (stop.isRequested()) return await stop.requested
    const listener = await listen(app.fetch, settings, sync.sockets)
    const background = startBackground(services, guard, settings)
    opened.add('requests and jobs', () => {
      refusing = true
      return drain(listener, background, sync, log)
    })

    const seconds = (systemClock.monotonic() - began) / 1000
    const { host } = settings
    const { port } = listener
    const facts = { version, host, port, database: database.place, dataDir: database.dataDir }
    log.info({ host, port, version, seconds }, 'listening')
    process.stderr.write(banner({ ...facts, firstRun: first, seconds }))
    // Not only at the end, which a crash skips. Where there is no such cache, nothing is done.
    setTimeout(flushCompileCache, COMPILED_AFTER_MS).unref()
    const code = await stop.requested
    // After a fault nothing is to be answered any more.
    if (code === 0) await linger(listener, settings.shutdownGraceSeconds, log)
    return code
  } finally {
    await opened.run()
  }
}

/** Once the first requests have had theirs compiled too. */
const COMPILED_AFTER_MS = 5_000
/** Enough that no connection idles while a request reads its body or signs its answer. */
const PLACES_PER_CONNECTION = 2

/** Where clients find the live channel. */
const syncUrl = ({ publicUrl }: Pick<Settings, 'publicUrl'>): string =>
  `${publicUrl.replace(/^http/, 'ws')}${SYNC_PATH}`

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
