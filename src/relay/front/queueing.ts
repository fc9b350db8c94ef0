// Takes reports into the queue while the vendor is away: from whom, and for whom. Sends nothing.
import type { Commits } from '../store/commits.ts'
import type { ReportQueue } from '../store/queue.ts'
import { NOTHING, type OfflineAnswer, provenLicense } from './offline.ts'
import type { OwnNumbers } from './own-numbers.ts'
import type { Memory } from './remember.ts'
import { heartbeatReport, refreshReport, telemetryReports } from './reports.ts'
import { type InstanceRequest, instanceIdOf, productOf } from './request.ts'

/** Of one batch, as at the vendor. */
const MOST_REPORTS = 500

export interface QueueingContext extends Memory {
  commits: Commits
  queue: ReportQueue
  own: OwnNumbers
}

/**
 * What nothing proves is not kept: delivered by a relay it would count as proven (T11). `refused`: no room for it, or
 * not a report that the vendor would take; an answer would say that it was taken.
 */
export async function queueHeartbeat(
  context: QueueingContext,
  request: InstanceRequest,
): Promise<'kept' | 'unproven' | 'refused'> {
  const instanceId = instanceIdOf(request)
  const license = instanceId === null ? null : await provenLicense(context, request, instanceId)
  if (instanceId === null || !license || license.product !== productOf(request)) return 'unproven'
  const { product } = license
  const report = heartbeatReport(request, { product, instanceId }, context.own, context.now())
  if (report === null) return 'refused'
  return context.commits.write(() => {
    context.grants.see(product, instanceId, context.now())
    return context.queue.add(report) ? 'kept' : 'refused'
  })
}

/** False where it was not taken. It is proven by what its answer was given for: a JWT within its grace too (T8). */
export async function queueRefresh(context: QueueingContext, request: InstanceRequest): Promise<boolean> {
  const instanceId = instanceIdOf(request)
  const license =
    instanceId === null ? null : await provenLicense(context, request, instanceId, 'within_grace')
  if (instanceId === null || !license) return false
  const named = { product: license.product, instanceId }
  const report = refreshReport(request, named, context.own, context.now())
  return report !== null && context.queue.add(report)
}

/** A batch is taken from a credential that the relay knows, for instances that it knows. */
export async function queueTelemetry(
  context: QueueingContext,
  request: InstanceRequest,
): Promise<OfflineAnswer> {
  const reports = Array.isArray(request.body.reports)
    ? (request.body.reports as { instance_id?: unknown }[])
    : []
  const first = reports.find((report) => typeof report?.instance_id === 'string')?.instance_id
  const license = typeof first === 'string' ? await provenLicense(context, request, first) : null
  if (!license || reports.length > MOST_REPORTS) return NOTHING
  const { product } = license
  // A credential speaks for its own instance, the batch of a site's collector for those that it proved.
  const proven = new Set<string>()
  for (const name of new Set(reports.map(({ instance_id }) => instance_id))) {
    if (typeof name !== 'string') continue
    if ((await provenLicense(context, request, name))?.product === product) proven.add(name)
  }
  const known = (instanceId: string) => proven.has(instanceId)
  const batch = telemetryReports(reports, product, known, context.now())
  const kept = context.commits.write(() => batch.reports.filter((report) => context.queue.add(report)))
  if (kept.length < batch.reports.length) return NOTHING
  return {
    kind: 'kept',
    cache: 'hit; age=0',
    body: { accepted: kept.length, duplicates: 0, rejected: batch.rejected },
  }
}
