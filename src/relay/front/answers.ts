// How an instance's request becomes an answer: the vendor's, word for word, or what the relay holds of it.
import type { Logger } from '../../platform/logger.ts'
import type { SeatOffice } from '../seats/office.ts'
import type { ReportQueue } from '../store/queue.ts'
import type { Upstream } from '../upstream/client.ts'
import {
  type OfflineAnswer,
  type OfflineContext,
  offlineHeartbeat,
  offlineKnown,
  offlineSeat,
  offlineToken,
  provenLicense,
} from './offline.ts'
import { remember } from './remember.ts'
import { heartbeatReport, type OwnNumbering, refreshReport, telemetryReports } from './reports.ts'
import { type InstanceRequest, instanceIdOf, productOf } from './request.ts'

export type Exchange =
  | 'exchange'
  | 'refresh'
  | 'register'
  | 'heartbeat'
  | 'activate'
  | 'validate'
  | 'deactivate'
  | 'telemetry'

/** `text` is JSON. `cache` stands in the header of what was not said by the vendor just now. */
export interface Answer {
  status: number
  text: string
  cache?: string
}

export type Refused = { refused: 'killed' | 'away'; why: string }

export interface FrontContext extends OfflineContext {
  upstream: Upstream
  queue: ReportQueue
  own: OwnNumbering
  seats: SeatOffice
  /** Whether answers are kept (ENABLE_CACHE). */
  keeps: boolean
  counts: { kept: number; missed: number; inGrace: number; forwarded: number }
  log: Logger
}

/** Asks the vendor; when it is away, answers from what is kept. */
export async function answer(
  context: FrontContext,
  what: Exchange,
  request: InstanceRequest,
): Promise<Answer | Refused> {
  const { method, path, bearer, text } = request
  const result = await context.upstream.send({ method, path, bearer, body: text }, 'instance')
  if (result.kind === 'answer') {
    context.counts.forwarded += 1
    if (result.body !== null && context.keeps) {
      await remember(context, request, result.status, result.body).catch((error: unknown) => {
        context.log.error({ err: error }, 'an answer of the vendor could not be kept')
      })
      if (what === 'deactivate' && result.status < 300) await partFrom(context, request)
    }
    return { status: result.status, text: withOwnChannel(result, request.sync) }
  }
  const offline = context.keeps
    ? await answerOffline(context, what, request).catch(cannotKeep(context))
    : NOTHING
  return count(context, offline, result.why)
}

/** A disk that is full, or worse: what was to be written was not, and so nothing is acknowledged. */
const cannotKeep =
  ({ log }: FrontContext) =>
  (error: unknown): OfflineAnswer => {
    log.error({ err: error }, 'a request could not be answered from the cache')
    return NOTHING
  }

/** The instance gave its seat back: nothing of that license is served to it any more. */
async function partFrom(context: FrontContext, request: InstanceRequest): Promise<void> {
  try {
    await context.seats.giveBack(request)
    const instanceId = instanceIdOf(request)
    const license = instanceId === null ? null : await provenLicense(context, request, instanceId)
    if (instanceId !== null && license) context.grants.part(license.product, instanceId, license.licenseId)
  } catch (error) {
    context.log.error({ err: error }, 'a seat that was given back could not be noted')
  }
}

/** The vendor's words as they came, but for the address of the live channel: the instance listens to the relay. */
function withOwnChannel(
  { text, body }: { text: string; body: Record<string, unknown> | null },
  sync: string,
): string {
  const config = body?.config
  if (typeof config !== 'object' || config === null || !('sync' in config)) return text
  return JSON.stringify({ ...body, config: { ...config, sync } })
}

const NOTHING: OfflineAnswer = { kind: 'nothing', why: 'unknown_instance' }

async function answerOffline(
  context: FrontContext,
  what: Exchange,
  request: InstanceRequest,
): Promise<OfflineAnswer> {
  switch (what) {
    case 'exchange':
      return orSeat(context, request, await offlineToken(context, request))
    case 'activate':
      return orSeat(context, request, await offlineSeat(context, request, 'active'))
    case 'validate':
      return orSeat(context, request, await offlineSeat(context, request, 'valid'))
    case 'refresh': {
      const kept = await offlineToken(context, request)
      return kept.kind === 'kept' && !(await queueRefresh(context, request)) ? NOTHING : kept
    }
    case 'heartbeat': {
      const kept = await offlineHeartbeat(context, request)
      return kept.kind === 'kept' && !(await queueHeartbeat(context, request)) ? NOTHING : kept
    }
    case 'register':
      return offlineKnown(context, request, 'registered')
    case 'deactivate':
      // The vendor's seat ends when the vendor hears of it; a leased one ends here.
      return (await context.seats.giveBack(request)) ? offlineKnown(context, request, 'deactivated') : NOTHING
    case 'telemetry':
      return queueTelemetry(context, request)
  }
}

/** An instance without a grant of its own may have a seat of the allotment. */
async function orSeat(
  context: FrontContext,
  request: InstanceRequest,
  kept: OfflineAnswer,
): Promise<OfflineAnswer> {
  return kept.kind === 'nothing' && kept.why !== 'rejected'
    ? ((await context.seats.lease(request)) ?? kept)
    : kept
}

async function queueHeartbeat(context: FrontContext, request: InstanceRequest): Promise<boolean> {
  const [product, instanceId] = [productOf(request), instanceIdOf(request)]
  if (product === null || instanceId === null) return false
  const proven = (await provenLicense(context, request, instanceId)) !== null
  const named = { product, instanceId }
  return context.queue.add(heartbeatReport(request, named, context.own, context.now(), proven))
}

/** False where there is no room: an answer would say that the report was taken. */
async function queueRefresh(context: FrontContext, request: InstanceRequest): Promise<boolean> {
  const instanceId = instanceIdOf(request)
  const license = instanceId === null ? null : await provenLicense(context, request, instanceId)
  if (instanceId === null || !license) return true
  const named = { product: license.product, instanceId }
  return context.queue.add(refreshReport(request, named, context.own, context.now()))
}

/** A batch is taken from a credential that the relay knows, for instances that it knows. */
async function queueTelemetry(context: FrontContext, request: InstanceRequest): Promise<OfflineAnswer> {
  const reports = Array.isArray(request.body.reports)
    ? (request.body.reports as { instance_id?: unknown }[])
    : []
  const first = reports.find((report) => typeof report?.instance_id === 'string')?.instance_id
  const license = typeof first === 'string' ? await provenLicense(context, request, first) : null
  if (!license) return NOTHING
  const { product } = license
  // A credential speaks for its own instance, the batch of a site's collector for those that it proved.
  const proven = new Set<string>()
  for (const name of new Set(reports.map(({ instance_id }) => instance_id))) {
    if (typeof name !== 'string') continue
    if ((await provenLicense(context, request, name))?.product === product) proven.add(name)
  }
  const known = (instanceId: string) => proven.has(instanceId)
  const batch = telemetryReports(request, product, known, context.now())
  const kept = batch.reports.filter((report) => context.queue.add(report))
  if (kept.length < batch.reports.length) return NOTHING
  return {
    kind: 'kept',
    cache: 'hit; age=0',
    body: { accepted: kept.length, duplicates: 0, rejected: batch.rejected },
  }
}

function count(context: FrontContext, offline: OfflineAnswer, why: string): Answer | Refused {
  if (offline.kind !== 'kept') {
    context.counts.missed += 1
    return { refused: offline.kind === 'killed' ? 'killed' : 'away', why }
  }
  context.counts.kept += 1
  if (offline.cache.startsWith('grace')) context.counts.inGrace += 1
  return { status: 200, text: JSON.stringify(offline.body), cache: offline.cache }
}
