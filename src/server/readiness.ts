// Whether this process may be sent requests: it is not stopping, the database answers and has our migrations, and the
// clocks agree (T7). Each look measures the clock anew.
import { appliedMigrations } from '../db/applied-migrations.ts'
import type { Watchdog } from '../db/watchdog.ts'
import type { Services } from '../domain/kernel/context.ts'
import { type ClockGuard, MOST_SKEW_MS } from '../domain/signing/clock-guard.ts'
import { measureSkew } from '../domain/signing/measure-skew.ts'
import type { Readiness } from '../http/environment.ts'

type Check = Readiness['checks'][string]

const UNKNOWN: Check = { ok: false, detail: 'not known while the database does not answer' }

export interface ReadinessOptions {
  services: Pick<Services, 'db' | 'clock'>
  watchdog: Pick<Watchdog, 'answers' | 'guard'>
  guard: ClockGuard
  isStopping: () => boolean
  /** Number of migrations that this version ships. */
  shipped: number
}

/** Looks once. */
export async function checkReadiness(options: ReadinessOptions): Promise<Readiness> {
  const checks = await look(options)
  return { ready: Object.values(checks).every((check) => check.ok), checks }
}

async function look({
  services,
  watchdog,
  guard,
  isStopping,
  shipped,
}: ReadinessOptions): Promise<Record<string, Check>> {
  const server: Check = isStopping() ? { ok: false, detail: 'stopping' } : { ok: true }
  const away = {
    server,
    database: { ok: false, detail: 'does not answer' },
    migrations: UNKNOWN,
    clock: UNKNOWN,
  }
  if (!(await watchdog.answers())) return away
  try {
    guard.measured(await watchdog.guard(measureSkew(services.db, services.clock)))
    const applied = await watchdog.guard(appliedMigrations(services.db))
    return {
      server,
      database: { ok: true },
      migrations: migrationsCheck(applied, shipped),
      clock: clockCheck(guard),
    }
  } catch {
    return away
  }
}

/** More than ours is no fault: a newer version is being rolled out beside us. */
function migrationsCheck(applied: number, shipped: number): Check {
  if (applied >= shipped) return { ok: true }
  return { ok: false, detail: `${applied} of ${shipped} migrations are applied` }
}

function clockCheck(guard: ClockGuard): Check {
  if (guard.trusted()) return { ok: true }
  const seconds = Math.round((guard.skewMs() ?? 0) / 1000)
  return {
    ok: false,
    detail:
      `the server's clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the database's; ` +
      `${MOST_SKEW_MS / 1000} s are allowed, and nothing is signed`,
  }
}
