// Runs what is due, each job under its lease. Called by a timer on Node and by the cron of a Worker alike.
import { driverError, isDatabaseAway } from '../db/errors.ts'
import type { Ctx, Services } from '../domain/kernel/context.ts'
import { publicId, uuidv7 } from '../platform/ids.ts'
import { redactText } from '../platform/redact.ts'
import type { Job } from './job.ts'
import { giveLeaseBack, RENEW_SECONDS, renewLease, takeLease } from './lease.ts'

const LONGEST_ERROR = 300

export interface RunOptions {
  /** Names this process in the lease rows. */
  holder: string
  /** Aborted when the process stops: a running job ends early, no other is begun. */
  signal?: AbortSignal
}

/**
 * One round: takes each job that is due and that no other process runs, one after the other. A job that fails is
 * logged, and repeated a minute later at the latest; the others run nonetheless. Returns the names of the jobs that
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
    if (!(await takeLease(services.db, lease, services.clock.now()))) continue
    ran.push(job.name)
    await runJob(services, job, holder, signal)
  }
  return ran
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
  await giveLeaseBack(db, lease, failure, clock.now())
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

/** A database error's message holds SQL and parameters: its code must do. */
function describe(error: unknown): string {
  const driver = driverError(error)
  if (driver) return `database error ${driver.code}`
  return error instanceof Error
    ? redactText(`${error.name}: ${error.message}`).slice(0, LONGEST_ERROR)
    : 'unknown'
}
