// A server of several processes: this one holds the embedded database, the jobs and the workers, and serves nobody.

import type { Logger } from '../../platform/logger.ts'
import { promMetrics } from '../../platform/metrics-prom.ts'
import { StartError } from '../../platform/start-error.ts'
import { startClockWatch, startJobs } from '../background.ts'
import type { Closing } from '../closing.ts'
import { LONGEST_DRAIN_MS, withinLimit } from '../drain.ts'
import type { Prepared } from '../prepare.ts'
import type { StopRequests } from '../stop-requests.ts'
import { startWorkers } from './workers.ts'

/** What a worker may need beyond its drain to close its connections. */
const MARGIN_MS = 3_000

export interface RunOptions {
  prepared: Prepared
  processes: number
  version: string
  log: Logger
  stop: StopRequests
  /** Closes what the server has opened. */
  opened: Closing
  /** Says that all serve on this port. */
  ready: (port: number) => void
}

/** Returns the exit code. @throws StartError when the workers cannot start. */
export async function runWorkers({
  prepared,
  processes,
  log,
  stop,
  opened,
  ready,
}: RunOptions): Promise<number> {
  const { database, settings, services, connections } = prepared
  if (stop.isRequested()) return stop.requested
  const { dataDir } = database
  const givenUp = Promise.withResolvers<never>()
  const workers = startWorkers({
    task: { databaseUrl: database.url, dataDir, issuer: settings.issuer, processes },
    log,
    own: promMetrics().snapshot,
    onGivingUp: (deaths) => givenUp.reject(endless(deaths)),
  })
  stop.onAbandon(workers.kill)
  let code = 1
  const background = [
    startClockWatch(services, connections.guard),
    startJobs(services, connections.guard, settings),
  ]
  opened.add('workers and jobs', async () => {
    const linger = code === 0
    const graceMs = linger ? settings.shutdownGraceSeconds * 1000 : 0
    const jobs = withinLimit(
      background.map((each) => each.stop()),
      log,
    )
    await workers.stop(linger, graceMs + LONGEST_DRAIN_MS + MARGIN_MS)
    await jobs
  })
  await Promise.race([workers.ready.then(ready), stop.requested, givenUp.promise])
  code = await Promise.race([stop.requested, givenUp.promise])
  return code
}

const endless = (deaths: number) =>
  new StartError(
    `Processes of this server ended ${deaths} times in a row, each within seconds of its start. It has stopped.`,
    'The log lines before this tell how they ended. Start the server again once that is mended.',
  )
