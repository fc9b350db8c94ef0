// The worker processes of a server: started, replaced when they die, asked for their counts, told to stop.
import cluster, { type Worker } from 'node:cluster'
import type { Logger } from '../../platform/logger.ts'
import type { MetricsSnapshot } from '../../platform/metrics-prom.ts'
import { StartError } from '../../platform/start-error.ts'
import { openCounts } from './counts.ts'
import { ours, type ToPrimary, type ToWorker, type WorkerTask } from './messages.ts'
import { afterDeath } from './respawn.ts'
import { WORKER } from './run-worker.ts'

export interface Workers {
  /** Resolves with the port once all of them serve. Rejects with the StartError of the first that cannot. */
  readonly ready: Promise<number>
  /** Tells all of them to stop, ends those that have not stopped after `withinMs`, and resolves when none is left. */
  stop(linger: boolean, withinMs: number): Promise<void>
  /** Ends all of them without any more ado. */
  kill(): void
}

export interface WorkersOptions {
  task: WorkerTask
  log: Logger
  /** The counts of this process. */
  own: () => Promise<MetricsSnapshot>
  /** A worker ends again and again, so soon that another one would too. */
  onGivingUp: (deaths: number) => void
}

interface Place {
  worker: Worker
  servingSince: number | null
  quickDeaths: number
}

export function startWorkers({ task, log, own, onGivingUp }: WorkersOptions): Workers {
  cluster.setupPrimary({ args: [WORKER], serialization: 'advanced' })
  const places: Place[] = []
  const ready = Promise.withResolvers<number>()
  const gone = Promise.withResolvers<void>()
  const counts = openCounts(own)
  const waiting = new Set<NodeJS.Timeout>()
  let stopping = false

  const living = () => places.filter(({ worker }) => !worker.isDead())

  const start = (quickDeaths: number): void => {
    const place: Place = { worker: cluster.fork(), servingSince: null, quickDeaths }
    places.push(place)
    const { worker } = place
    worker.on('message', (message) => received(place, ours<ToPrimary>(message)))
    worker.on('error', (error) => log.debug({ err: error }, 'a worker was not reached'))
    worker.on('exit', (code, signal) => died(place, code, signal))
    tell(worker, { leasehold: 'serve', task })
  }

  const received = (place: Place, message: ToPrimary | null): void => {
    if (message === null) return
    switch (message.leasehold) {
      case 'serving':
        place.servingSince = performance.now()
        log.info({ worker: place.worker.process.pid }, 'a worker serves')
        if (living().filter(({ servingSince }) => servingSince !== null).length === task.processes) {
          ready.resolve(message.port)
        }
        break
      case 'failed': {
        const { message: why, fix } = message
        log.error({ worker: place.worker.process.pid, why, fix }, 'a worker could not start')
        ready.reject(new StartError(why, fix))
        break
      }
      case 'counts':
        counts.answered(message.id, message.snapshot)
        break
      case 'count all':
        void countAll(place.worker, message.id)
        break
    }
  }

  const countAll = async (asking: Worker, id: number): Promise<void> => {
    const others = living().map(({ worker }) => ({
      id: worker.id,
      ask: (question: number) => tell(worker, { leasehold: 'count', id: question }),
    }))
    tell(asking, { leasehold: 'all counts', id, snapshots: await counts.collect(others) })
  }

  const died = (place: Place, code: number | null, signal: string | null): void => {
    places.splice(places.indexOf(place), 1)
    void counts.ended(place.worker.id)
    if (stopping) {
      if (places.length === 0) gone.resolve()
      return
    }
    const served = place.servingSince === null ? 0 : performance.now() - place.servingSince
    const { quickDeaths, delayMs } = afterDeath(place.quickDeaths, served)
    const facts = { worker: place.worker.process.pid, code, signal, served_ms: Math.round(served) }
    if (delayMs === null) {
      log.error(facts, 'a worker ended')
      onGivingUp(quickDeaths)
      return
    }
    log.error({ ...facts, next_in_ms: delayMs }, 'a worker ended: another one is started')
    const timer = setTimeout(() => {
      waiting.delete(timer)
      start(quickDeaths)
    }, delayMs)
    waiting.add(timer)
  }

  const kill = (): void => {
    stopping = true
    for (const timer of waiting) clearTimeout(timer)
    for (const { worker } of places) worker.process.kill('SIGKILL')
  }

  for (let n = 0; n < task.processes; n += 1) start(0)
  return {
    ready: ready.promise,
    kill,
    async stop(linger, withinMs) {
      stopping = true
      for (const timer of waiting) clearTimeout(timer)
      for (const { worker } of places) tell(worker, { leasehold: 'stop', linger })
      if (places.length === 0) return
      const timer = setTimeout(() => {
        log.warn(
          { workers: places.map(({ worker }) => worker.process.pid) },
          'ending workers that have not stopped',
        )
        kill()
      }, withinMs)
      await gone.promise
      clearTimeout(timer)
    },
  }
}

function tell(worker: Worker, message: ToWorker): void {
  // Its end is told by its exit.
  if (worker.isConnected()) worker.send(message, () => {})
}
