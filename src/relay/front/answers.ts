// How an instance's request becomes an answer: the vendor's, word for word, or what the relay holds of it.
import type { Logger } from '../../platform/logger.ts'
import type { Binding } from '../binding.ts'
import type { FullHouse } from '../seats/full-house.ts'
import type { SeatOffice } from '../seats/office.ts'
import type { ReportQueue } from '../store/queue.ts'
import type { Upstream } from '../upstream/client.ts'
import { foreignAsked, foreignGranted, withoutForeign } from './bound.ts'
import {
  NOTHING,
  type OfflineAnswer,
  type OfflineContext,
  offlineHeartbeat,
  offlineKnown,
  offlineSeat,
  offlineToken,
  provenLicense,
} from './offline.ts'
import { numbered, type OwnNumbers } from './own-numbers.ts'
import { queueHeartbeat, queueRefresh, queueTelemetry } from './queueing.ts'
import { type Asked, remember } from './remember.ts'
import { type InstanceRequest, instanceIdOf } from './request.ts'

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
  /** The vendor's own `Retry-After`. */
  retryAfter?: string
}

/** `full`: the allotment's limit that was met. `why` the vendor was asked in vain. `bound`: to another machine. */
export type Refused =
  | { refused: 'killed' | 'away'; why: string }
  | { refused: 'full'; full: FullHouse }
  | { refused: 'bound'; license: string }

export interface FrontContext extends OfflineContext {
  /** Which licenses name another machine. */
  binding: Binding
  upstream: Upstream
  queue: ReportQueue
  own: OwnNumbers
  seats: SeatOffice
  /** Told with each request: a license that is not fresh is synced. */
  meet(): void
  /** Told of each instance that the vendor did not answer. */
  answeredOwn(instanceId: string): void
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
  context.meet()
  const foreign = GRANTING.includes(what) ? await foreignAsked(context, request) : null
  if (foreign !== null) return { refused: 'bound', license: foreign }
  const onDisk = context.commits.watch()
  const asked = { turn: context.words.turn(), at: context.now() }
  const body = context.keeps && REPORTING.includes(what) ? numbered(request, context.own) : text
  const result = await context.upstream.send({ method, path, bearer, body }, 'instance')
  if (result.kind === 'answer') {
    context.counts.forwarded += 1
    if (result.body !== null && context.keeps) {
      await keepAnswer(context, what, request, asked, { status: result.status, body: result.body })
        .then(onDisk)
        .catch((error: unknown) => {
          context.log.error({ err: error }, 'an answer of the vendor could not be kept')
        })
    }
    const granted = await foreignGranted(context, request, result.body)
    if (granted !== null) return { refused: 'bound', license: granted }
    return {
      status: result.status,
      text: withOwnChannel(await served(context, request, result), request.sync),
      ...(result.retryAfter === null ? {} : { retryAfter: result.retryAfter }),
    }
  }
  const instanceId = instanceIdOf(request)
  if (instanceId !== null) context.answeredOwn(instanceId)
  const offline = context.keeps
    ? await acknowledged(answerOffline(context, what, request), onDisk).catch(cannotKeep(context))
    : NOTHING
  if (offline.kind === 'kept') offline.body = await withoutForeign(context, request, offline.body)
  return count(context, offline, result.why)
}

/** Those that are answered with a grant. */
const GRANTING: readonly Exchange[] = ['exchange', 'refresh', 'activate', 'validate']

/** The vendor's words, less what is another machine's. */
async function served(
  context: FrontContext,
  request: InstanceRequest,
  { text, body }: Spoken,
): Promise<Spoken> {
  const own = await withoutForeign(context, request, body)
  return own === body ? { text, body } : { text: JSON.stringify(own), body: own }
}

interface Spoken {
  text: string
  body: Record<string, unknown> | null
}

/** Those whose requests carry a report. */
const REPORTING: readonly Exchange[] = ['heartbeat', 'refresh']

/** Nobody is told of what is not on disk. */
async function acknowledged(
  answering: Promise<OfflineAnswer>,
  onDisk: () => Promise<void>,
): Promise<OfflineAnswer> {
  const given = await answering
  await onDisk()
  return given
}

async function keepAnswer(
  context: FrontContext,
  what: Exchange,
  request: InstanceRequest,
  asked: Asked,
  { status, body }: { status: number; body: Record<string, unknown> },
): Promise<void> {
  const granted = await remember(context, request, asked, status, body)
  if (granted) context.seats.replaced(granted)
  if (what === 'deactivate' && status < 300) await partFrom(context, request)
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
  await context.seats.giveBack(request)
  const instanceId = instanceIdOf(request)
  const license = instanceId === null ? null : await provenLicense(context, request, instanceId)
  if (instanceId !== null && license) context.grants.part(license.product, instanceId, license.licenseId)
}

/** The vendor's words as they came, but for the address of the live channel: the instance listens to the relay. */
function withOwnChannel({ text, body }: Spoken, sync: string): string {
  const config = body?.config
  if (typeof config !== 'object' || config === null || !('sync' in config)) return text
  return JSON.stringify({ ...body, config: { ...config, sync } })
}

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
      if (kept.kind !== 'kept') return kept
      const report = await queueHeartbeat(context, request)
      // An action is told again all the same: clients that read plain words take a 503 for freedom from it.
      return report === 'kept' || (report === 'unproven' && kept.body.action !== 'none') ? kept : NOTHING
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

function count(context: FrontContext, offline: OfflineAnswer, why: string): Answer | Refused {
  if (offline.kind !== 'kept') {
    context.counts.missed += 1
    if (offline.kind === 'full') return { refused: 'full', full: offline.full }
    return { refused: offline.kind === 'killed' ? 'killed' : 'away', why }
  }
  context.counts.kept += 1
  if (offline.cache.startsWith('grace')) context.counts.inGrace += 1
  return { status: 200, text: JSON.stringify(offline.body), cache: offline.cache }
}
