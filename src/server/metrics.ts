// What `/metrics` says besides the requests: few series, and one small query a scrape.
import { sql } from 'drizzle-orm'
import type { Watchdog } from '../db/watchdog.ts'
import type { Services } from '../domain/kernel/context.ts'
import type { AppDependencies } from '../http/environment.ts'
import {
  expositionOf,
  type MetricsSnapshot,
  type PromMetrics,
  promMetrics,
} from '../platform/metrics-prom.ts'

type JobRow = { name: string; finished: number | null; failing: boolean }

export interface MetricsOptions {
  services: Pick<Services, 'db' | 'keyring'>
  watchdog: Watchdog
  version: string
  poolSize: number
  /** The metrics of all processes of the server; without it this one is the only one. */
  all?: () => Promise<MetricsSnapshot[]>
}

export function serverMetrics({ services, watchdog, version, poolSize, all }: MetricsOptions): {
  metrics: PromMetrics
  metricsText: NonNullable<AppDependencies['metricsText']>
} {
  const metrics = promMetrics()
  // What every process would say alike, and is not added up.
  const facts = promMetrics({ process: false })
  const g = {
    build: facts.gauge('leasehold_build_info', 'Always 1; the labels tell what runs.', ['version', 'node']),
    pool: metrics.gauge('leasehold_database_pool_size', 'Most connections in the pools of this server.'),
    up: facts.gauge('leasehold_database_up', 'Whether the database answers.'),
    keySet: facts.gauge('leasehold_key_set_number', 'Number of the newest root-signed key set; 0 for none.'),
    success: facts.gauge(
      'leasehold_job_last_success_timestamp_seconds',
      'When a job last ended well, on any process.',
      ['job'],
    ),
    failing: facts.gauge('leasehold_job_failing', 'Whether the last run of a job failed.', ['job']),
  }
  g.build.set({ version, node: process.versions.node }, 1)
  g.pool.set({}, poolSize)
  return {
    metrics,
    async metricsText() {
      const up = await look()
      g.up.set({}, up ? 1 : 0)
      const counted = all ? await expositionOf(await all()) : (await metrics.exposition()).body
      const { contentType, body } = await facts.exposition()
      return { text: `${counted}\n${body}`, contentType }
    },
  }

  async function look(): Promise<boolean> {
    if (!(await watchdog.answers())) return false
    try {
      g.keySet.set({}, (await watchdog.guard(services.keyring.current())).keySetNumber)
      for (const job of await watchdog.guard(jobRows(services))) {
        if (job.finished !== null) g.success.set({ job: job.name }, job.finished)
        g.failing.set({ job: job.name }, job.failing ? 1 : 0)
      }
      return true
    } catch {
      return false
    }
  }
}

async function jobRows({ db }: Pick<Services, 'db'>): Promise<JobRow[]> {
  return db.execute<JobRow>(sql`
    select name, extract(epoch from last_finished_at)::double precision as finished,
      last_error is not null as failing
    from job_leases order by name`)
}
