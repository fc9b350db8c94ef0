// What a server process does besides answering: measures its clock, and runs the jobs that are due.
import { hostname } from 'node:os'
import type { Settings } from '../config/settings.ts'
import { databaseFault } from '../db/errors.ts'
import type { Services } from '../domain/kernel/context.ts'
import type { ClockGuard } from '../domain/signing/clock-guard.ts'
import { measureSkew } from '../domain/signing/measure-skew.ts'
import { runDueJobs } from '../jobs/run-due-jobs.ts'
import { randomHex } from '../platform/random.ts'
import { jobsOf } from './job-list.ts'
import { repeat } from './repeat.ts'

const CLOCK_MS = 30_000
const JOBS_MS = 5_000

export interface Background {
  /** Tells what is running to end early, and resolves once it has. */
  stop(): Promise<void>
}

/** For every process that signs. */
export const startClockWatch = (services: Services, guard: ClockGuard): Background =>
  repeat(() => watchClock(services, guard).catch(complain(services)), CLOCK_MS)

/** For one process of a server. */
export function startJobs(services: Services, guard: ClockGuard, settings: Settings): Background {
  const { log } = services
  const stopping = new AbortController()
  const options = { holder: `${hostname()} ${process.pid} ${randomHex(4)}`, signal: stopping.signal }
  const jobs = jobsOf(settings)
  const work = repeat(
    async () => {
      // Retention under a wrong clock would delete what is still wanted.
      if (guard.trusted()) await runDueJobs(services, jobs, options).catch(complain(services))
    },
    JOBS_MS,
    0,
  )
  log.debug({ holder: options.holder, jobs: jobs.map((job) => job.name) }, 'background work started')
  return {
    stop() {
      stopping.abort()
      return work.stop()
    },
  }
}

async function watchClock(services: Services, guard: ClockGuard): Promise<void> {
  const before = guard.trusted()
  guard.measured(await measureSkew(services.db, services.clock))
  if (before === guard.trusted()) return
  const skew = { skew_ms: guard.skewMs() }
  if (before) services.log.error(skew, 'the clock differs from the database’s: nothing is signed')
  else services.log.info(skew, 'the clock agrees with the database’s again')
}

const complain = (services: Services) => (error: unknown) => {
  const fault = databaseFault(error)
  if (fault === 'away') services.log.warn({ err: error }, 'the database is away')
  else if (fault === 'busy') services.log.warn({ err: error }, 'the database is too busy')
  else services.log.error({ err: error }, 'background work failed')
}
