// Entry on Cloudflare Workers: the same app for `fetch`, the same jobs for `scheduled`. Keeps no connection and runs no
// migration.
import type { Bindings } from './config/worker-settings.ts'
import { runDueJobs } from './jobs/run-due-jobs.ts'
import { randomHex } from './platform/random.ts'
import { jobsOf } from './server/job-list.ts'
import { overAddressLimit } from './worker/address-limit.ts'
import { isolateOf } from './worker/isolate.ts'
import { openRequest, openSecrets } from './worker/open-request.ts'
import { logFailure, tooMany, unableTo } from './worker/unable.ts'

/** The part of the runtime's context that is used. */
interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void
}

/** What verbs answer. All else must be answered while the database is away, too. */
const NEEDS_SECRETS = /^\/(?:api|\.well-known)\//

export default {
  async fetch(request: Request, bindings: Bindings, context: ExecutionContext): Promise<Response> {
    try {
      const isolate = isolateOf(bindings)
      const needed = NEEDS_SECRETS.test(new URL(request.url).pathname)
      const retryAfter = needed ? await overAddressLimit(bindings, request) : null
      if (retryAfter !== null) return tooMany(retryAfter)
      const open = openRequest(isolate)
      try {
        const services = needed ? await openSecrets(open) : open.services
        return await isolate.app.fetch(request, { ...open, services })
      } finally {
        context.waitUntil(open.close())
      }
    } catch (error) {
      return unableTo(error)
    }
  },

  /** One round of the jobs that are due. */
  async scheduled(_event: unknown, bindings: Bindings): Promise<void> {
    try {
      const isolate = isolateOf(bindings)
      const open = openRequest(isolate)
      try {
        const services = await openSecrets(open)
        // Retention under a wrong clock would delete what is still wanted.
        if (!isolate.guard.trusted()) {
          isolate.log.error({ skew_ms: isolate.guard.skewMs() }, 'the clock differs from the database’s')
          return
        }
        const ran = await runDueJobs(services, jobsOf(isolate.settings), { holder: `worker ${randomHex(4)}` })
        isolate.log.debug({ ran }, 'round of jobs done')
      } finally {
        await open.close()
      }
    } catch (error) {
      logFailure(error)
      // Its own text may hold SQL, and the runtime would write it down.
      throw new Error('the jobs did not run; the log says why')
    }
  },
}
