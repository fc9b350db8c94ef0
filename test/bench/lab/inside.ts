// The server's inside in a process of the bench, opened from the server's settings: its services, jobs and database.
import { loadSettings } from '../../../src/config/settings.ts'
import { connectDatabase } from '../../../src/db/client.ts'
import type { Ctx } from '../../../src/domain/kernel/context.ts'
import { clockGuard } from '../../../src/domain/signing/clock-guard.ts'
import { measureSkew } from '../../../src/domain/signing/measure-skew.ts'
import type { Job } from '../../../src/jobs/job.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { pinoLogger } from '../../../src/platform/logger-pino.ts'
import { jobsOf } from '../../../src/server/job-list.ts'
import { openServices } from '../../../src/server/open-services.ts'
import { openOwnKeys } from '../../../src/server/own-keys.ts'

export interface Inside {
  settings: ReturnType<typeof loadSettings>
  services: Awaited<ReturnType<typeof openServices>>
  ctx: Ctx
  jobs: Job[]
  close(): Promise<void>
}

export async function openInside(env: Readonly<Record<string, string | undefined>>): Promise<Inside> {
  const settings = loadSettings(env)
  const log = pinoLogger({ level: settings.logLevel })
  const connection = connectDatabase(settings.databaseUrl ?? '', { poolSize: settings.poolSize })
  const { db } = connection
  const guard = clockGuard()
  guard.measured(await measureSkew(db, systemClock))
  const keys = await openOwnKeys(db, settings.dataDir, settings)
  const services = await openServices(db, settings, keys, log, guard)
  return {
    settings,
    services,
    ctx: { ...services, actor: { kind: 'system', id: 'bench' }, requestId: 'req_bench' },
    jobs: jobsOf(settings),
    close: connection.close,
  }
}
