// A worker: serves as the process that started it says, until that one or a signal tells it to stop.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Settings } from '../../config/settings.ts'
import { isDatabaseUnavailable } from '../../db/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { MetricsSnapshot } from '../../platform/metrics-prom.ts'
import { StartError } from '../../platform/start-error.ts'
import { startClockWatch } from '../background.ts'
import { type Closing, closing } from '../closing.ts'
import { openConnections } from '../connections.ts'
import { openServices } from '../open-services.ts'
import { openOwnKeys } from '../own-keys.ts'
import { packageVersion } from '../prepare.ts'
import { type Serving, serve } from '../serve.ts'
import { shareOf } from '../shares.ts'
import { type StopRequests, stopRequests } from '../stop-requests.ts'
import { ours, type ToPrimary, type ToWorker, type WorkerTask } from './messages.ts'

/** The argument by which a process knows that it is a worker. */
export const WORKER = 'worker'
const PAUSE_MS = 500

/** Returns the exit code. Whoever started this process is told why it could not start. */
export async function runWorker(settings: Settings, log: Logger): Promise<number> {
  const stop = stopRequests(log)
  const opened = closing(log)
  let lingers = true
  let serving: Serving | undefined
  const task = Promise.withResolvers<WorkerTask>()
  const all = questions()
  process.on('message', (received) => {
    const message = ours<ToWorker>(received)
    if (message === null) return
    switch (message.leasehold) {
      case 'serve':
        task.resolve(message.task)
        break
      case 'stop':
        lingers &&= message.linger
        stop.request(0)
        break
      case 'count': {
        const { id } = message
        void serving?.snapshot().then((snapshot) => say({ leasehold: 'counts', id, snapshot }))
        break
      }
      case 'all counts':
        all.answered(message.id, message.snapshots)
        break
    }
  })
  try {
    const given = await Promise.race([task.promise, stop.requested])
    if (typeof given === 'number') return given
    serving = await open(settings, given, { log, stop, opened, allMetrics: all.ask })
    if (serving === undefined) return await stop.requested
    say({ leasehold: 'serving', port: serving.port })
    const code = await stop.requested
    if (code === 0 && lingers) await serving.linger()
    return code
  } catch (error) {
    if (error instanceof StartError) say({ leasehold: 'failed', message: error.message, fix: error.fix })
    else log.error({ err: error }, 'a worker could not start')
    return 1
  } finally {
    await opened.run()
  }
}

interface Around {
  log: Logger
  stop: StopRequests
  opened: Closing
  allMetrics: () => Promise<MetricsSnapshot[]>
}

/** Undefined when it was told to stop before the database answered. */
async function open(given: Settings, task: WorkerTask, around: Around): Promise<Serving | undefined> {
  const { log, stop, opened, allMetrics } = around
  const settings = { ...given, issuer: task.issuer }
  const found = await whenDatabaseAnswers(around, async () => {
    const poolSize = shareOf(settings, task.processes).poolSize
    const connections = await openConnections(task.databaseUrl, poolSize, opened)
    const keys = await openOwnKeys(connections.db, task.dataDir, settings)
    return {
      connections,
      services: await openServices(connections.db, settings, keys, log, connections.guard),
    }
  })
  if (!found) return undefined
  const { connections, services } = found
  return serve({
    ...found,
    settings,
    processes: task.processes,
    version: await packageVersion(),
    isStopping: stop.isRequested,
    background: () => [startClockWatch(services, connections.guard)],
    opened,
    allMetrics,
  })
}

/** A worker that is started anew while the database is away waits for it, as those do that were there before. */
async function whenDatabaseAnswers<T>(
  { log, stop, opened }: Around,
  work: () => Promise<T>,
): Promise<T | undefined> {
  while (!stop.isRequested()) {
    try {
      return await work()
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error
      log.warn({ err: error }, 'a worker waits for the database')
      await opened.run()
      await sleep(PAUSE_MS)
    }
  }
  return undefined
}

/** Questions for the counts of all processes, by number. */
function questions() {
  const open = new Map<number, (snapshots: MetricsSnapshot[]) => void>()
  let asked = 0
  return {
    ask: (): Promise<MetricsSnapshot[]> =>
      new Promise((resolve) => {
        const id = ++asked
        open.set(id, resolve)
        say({ leasehold: 'count all', id })
      }),
    answered(id: number, snapshots: MetricsSnapshot[]): void {
      open.get(id)?.(snapshots)
      open.delete(id)
    },
  }
}

function say(message: ToPrimary): void {
  // When the one that started us has ended, we are about to as well.
  if (process.connected) process.send?.(message)
}
