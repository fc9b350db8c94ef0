// Runs what is due, each job under its lease. Called by a timer on Node and by the cron of a Worker alike.
import { driverError, isDatabaseAway, isDatabaseBusy } from '../db/errors.ts'
import type { Ctx, Services } from '../domain/kernel/context.ts'
import { publicId, uuidv7 } from '../platform/ids.ts'
import { redactText } from '../platform/redact.ts'
import type { Job } from './job.ts'
import { giveLeaseBack, type LeaseRequest, RENEW_SECONDS, renewLease, takeLease } from './lease.ts'

const LONGEST_ERROR = 300

export interface RunOptions {
  /** Names this process in the lease rows. */
  holder: string
  /** Aborted when the process stops: a running job ends early, no other is begun. */
  signal?: AbortSignal
}

/**
 * One round: takes each job that is due and that no other process runs, one after the other. A job that fails is
 * logged and recorded in its lease, and repeated a minute later at the latest; the others run nonetheless. So is one
 * for which the database was too busy. Returns the names of the jobs that
 * ran. Rejects only when the database is away.
 */
export async function runDueJobs(
  services: Services,
  jobs: readonly Job[],
  { holder, signal = new AbortController().signal }: RunOptions,
): Promise<string[]> {
  const ran: string[] = []
  for (const job of jobs) {
    if (signal.aborted) break
    const lease = { name: job.name, holder, every: job.every }
    if (!(await isOurs(services, lease))) continue
    ran.push(job.name)
    await runJob(services, job, holder, signal)
  }
  return ran
}

/** Somebody who holds up one lease row holds up no other job. */
async function isOurs({ db, clock, log }: Services, lease: LeaseRequest): Promise<boolean> {
  try {
    return await takeLease(db, lease, clock.now())
  } catch (error) {
    if (!isDatabaseBusy(error)) throw error
    log.warn({ err: error, job: lease.name }, 'lease not taken')
    return false
  }
}

async function runJob(services: Services, job: Job, holder: string, stopping: AbortSignal): Promise<void> {
  const { db, clock } = services
  const lease = { name: job.name, holder }
  const ctx = systemContext(services, job.name)
  const lost = new AbortController()
  const renewal = setInterval(() => {
    renewLease(db, lease, clock.now()).then(
      (held) => {
        if (!held) lost.abort()
      },
      (error: unknown) => ctx.log.warn({ err: error }, 'lease not renewed'),
    )
  }, RENEW_SECONDS * 1000)
  const start = clock.monotonic()
  let failure: string | null = null
  try {
    const done = await job.run(ctx, AbortSignal.any([stopping, lost.signal]))
    ctx.log[hasNews(done) ? 'info' : 'debug'](
      { ...done, ms: Math.round(clock.monotonic() - start) },
      'job done',
    )
  } catch (error) {
    if (isDatabaseAway(error)) throw error
    failure = describe(error)
    ctx.log.error({ err: error }, 'job failed')
  } finally {
    clearInterval(renewal)
  }
  try {
    await giveLeaseBack(db, lease, failure, clock.now())
  } catch (error) {
    // It runs out by itself.
    if (!isDatabaseBusy(error)) throw error
    ctx.log.warn({ err: error }, 'lease not given back')
  }
}

function systemContext(services: Services, job: string): Ctx {
  const requestId = publicId('req', uuidv7(services.clock.now(), services.random))
  return {
    ...services,
    log: services.log.child({ job, request_id: requestId }),
    actor: { kind: 'system', id: `job:${job}` },
    requestId,
  }
}

const hasNews = (done: Record<string, number> | null): boolean =>
  done !== null && Object.values(done).some((count) => count !== 0)

/** What a job has to do with, in words; doctor shows them. */
const GAVE_UP: Record<string, string> = {
  '55P03': 'it waited too long for a lock',
  '57014': 'a statement took too long',
  '25P03': 'a transaction was idle for too long',
  '40001': 'it got in the way of others, several times',
  '40P01': 'it got into deadlocks, several times',
}

/** A database error's message holds SQL and parameters: its code must do. */
function describe(error: unknown): string {
  const driver = driverError(error)
  if (driver) {
    const why = GAVE_UP[driver.code]
    return `database error ${driver.code}${why === undefined ? '' : `: ${why}`}`
  }
  return error instanceof Error
    ? redactText(`${error.name}: ${error.message}`).slice(0, LONGEST_ERROR)
    : 'unknown'
}
