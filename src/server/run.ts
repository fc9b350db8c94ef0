// The server from start to stop: prepared once, then served by this process or by several. Each part lives in its own
// file; this one owns their order.
import cluster from 'node:cluster'
import { flushCompileCache } from 'node:module'
import type { Settings } from '../config/settings.ts'
import { requireCorrectedDriver } from '../db/corrected-driver.ts'
import { systemClock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { startClockWatch, startJobs } from './background.ts'
import { banner } from './banner.ts'
import { closing } from './closing.ts'
import { type RunOptions, runWorkers } from './cluster/run-workers.ts'
import { type Prepared, packageVersion, prepare } from './prepare.ts'
import { serve } from './serve.ts'
import { POOL_BESIDE_WORKERS, processCount } from './shares.ts'
import { stopRequests } from './stop-requests.ts'

/** Once the first requests have had theirs compiled too. */
const COMPILED_AFTER_MS = 5_000

/** Runs the server until it is told to stop; returns the exit code. @throws StartError when it cannot start. */
export async function runServer(settings: Settings, log: Logger): Promise<number> {
  const began = systemClock.monotonic()
  // Where somebody else's cluster started this process, its workers are theirs.
  const processes = cluster.isPrimary ? processCount(settings) : 1
  const stop = stopRequests(log)
  const opened = closing(log)
  try {
    requireCorrectedDriver()
    const poolSize = processes === 1 ? settings.poolSize : POOL_BESIDE_WORKERS
    const prepared = await prepare({ settings, log, stop, opened, poolSize })
    const version = await packageVersion()
    const ready = (port: number): void => {
      const seconds = (systemClock.monotonic() - began) / 1000
      log.info({ host: settings.host, port, version, processes, seconds }, 'listening')
      process.stderr.write(bannerOf(prepared, { port, version, processes, seconds }))
      // Not only at the end, which a crash skips. Where there is no such cache, nothing is done.
      setTimeout(flushCompileCache, COMPILED_AFTER_MS).unref()
    }
    const options = { prepared, processes, version, log, stop, opened, ready }
    return processes === 1 ? await runAlone(options) : await runWorkers(options)
  } finally {
    await opened.run()
  }
}

async function runAlone({ prepared, version, stop, opened, ready }: RunOptions): Promise<number> {
  const { services, connections, settings } = prepared
  const { guard } = connections
  if (stop.isRequested()) return stop.requested
  const serving = await serve({
    services,
    connections,
    settings,
    processes: 1,
    version,
    isStopping: stop.isRequested,
    background: () => [startClockWatch(services, guard), startJobs(services, guard, settings)],
    opened,
  })
  ready(serving.port)
  const code = await stop.requested
  // After a fault nothing is to be answered any more.
  if (code === 0) await serving.linger()
  return code
}

function bannerOf(
  { database, settings, firstRun }: Prepared,
  facts: { port: number; version: string; processes: number; seconds: number },
): string {
  const { place, dataDir } = database
  return banner({ ...facts, host: settings.host, database: place, dataDir, firstRun })
}
