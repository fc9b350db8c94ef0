// The list of jobs and how often each runs. A new job adds one entry here.
import { dropPartitionsBefore, ensurePartitions } from '../db/partitions.ts'
import { findStaleInstances } from '../domain/anomalies/find-stale.ts'
import { removeSilentInstances } from '../domain/instances/remove-silent.ts'
import { giveNotice } from '../domain/licenses/give-notice.ts'
import { markLapsedSeats } from '../domain/rights/mark-lapsed.ts'
import { refreshKeySet } from '../domain/signing/refresh-key-set.ts'
import { foldFleet } from '../domain/stats/fold-fleet.ts'
import { recountFleet } from '../domain/stats/recount-fleet.ts'
import { rollUpReports } from '../domain/telemetry/roll-up.ts'
import { addSeconds, DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS } from '../platform/time.ts'
import type { Job } from './job.ts'
import { deleteExpired, type Retention } from './retention.ts'

/** All retentions in seconds. */
export function backgroundJobs(retention: Retention & { reports: number }): Job[] {
  return [
    {
      name: 'partitions',
      every: HOUR_SECONDS,
      async run({ db, clock }) {
        const now = clock.now()
        await ensurePartitions(db, now)
        const { dropped, waiting } = await dropPartitionsBefore(db, addSeconds(now, -retention.reports))
        return { dropped: dropped.length, waiting }
      },
    },
    { name: 'key_set', every: MINUTE_SECONDS, run: refreshKeySet },
    { name: 'rollup', every: MINUTE_SECONDS, run: rollUpReports },
    { name: 'fleet_fold', every: MINUTE_SECONDS, run: foldFleet },
    { name: 'fleet_recount', every: DAY_SECONDS, run: recountFleet },
    { name: 'license_notices', every: 5 * MINUTE_SECONDS, run: giveNotice },
    { name: 'lapsed_seats', every: MINUTE_SECONDS, run: markLapsedSeats },
    { name: 'stale_instances', every: 15 * MINUTE_SECONDS, run: findStaleInstances },
    { name: 'silent_instances', every: HOUR_SECONDS, run: removeSilentInstances },
    { name: 'retention', every: DAY_SECONDS, run: (ctx, signal) => deleteExpired(ctx, retention, signal) },
  ]
}
