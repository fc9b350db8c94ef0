// Turns what an instance sends while the vendor is away into reports for the queue. Asks nobody, answers nothing.
import type { QueuedReport } from '../store/queue.ts'
import type { OwnNumbers } from './own-numbers.ts'
import { type InstanceRequest, word } from './request.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const MOST_REPORTS = 500

type Report = Omit<QueuedReport, 'id'>

/** The report that a heartbeat carries. */
export function heartbeatReport(
  request: InstanceRequest,
  named: { product: string; instanceId: string },
  own: OwnNumbers,
  now: number,
  /** Whether a credential of the instance came with it: who shows none acknowledges nothing (T11). */
  proven: boolean,
): Report {
  const { body } = request
  const { metrics, reported_tier, has_valid_entitlement, ack } = body
  return {
    kind: 'heartbeat',
    ...named,
    ...numbersOf(request, own, now),
    body: JSON.stringify({ reported_tier, has_valid_entitlement, metrics, ack: proven ? ack : undefined }),
    acknowledges: proven && ack !== undefined,
  }
}

/** The report that a refresh carries: its counters stand under `telemetry`. */
export function refreshReport(
  request: InstanceRequest,
  named: { product: string; instanceId: string },
  own: OwnNumbers,
  now: number,
): Report {
  const { telemetry, uptime_hours, version, ack } = request.body
  const metrics = { ...record(telemetry), ...(uptime_hours === undefined ? {} : { uptime_hours }) }
  return {
    kind: 'heartbeat',
    ...named,
    ...numbersOf(request, own, now),
    body: JSON.stringify({ metrics: { ...metrics, server_version: version }, ack }),
    acknowledges: ack !== undefined,
  }
}

/** The reports of a telemetry batch that name this instance; those that are malformed are told by index. */
export function telemetryReports(
  request: InstanceRequest,
  product: string,
  mayReport: (instanceId: string) => boolean,
  now: number,
): { reports: Report[]; rejected: { index: number; error: string }[] } {
  const given = Array.isArray(request.body.reports) ? request.body.reports.slice(0, MOST_REPORTS) : []
  const reports: Report[] = []
  const rejected: { index: number; error: string }[] = []
  given.forEach((one: unknown, index) => {
    const report = record(one)
    const instanceId = word(report.instance_id)
    const bootId = bootOf(report)
    const seq = sequenceOf(report)
    if (instanceId === null || bootId === null || seq === null || typeof report.metrics !== 'object') {
      rejected.push({ index, error: 'invalid_request' })
    } else if (!mayReport(instanceId)) rejected.push({ index, error: 'not_found' })
    else {
      reports.push({
        kind: 'telemetry',
        product,
        instanceId,
        bootId,
        seq,
        observedAt: observedAt(report, now),
        body: JSON.stringify({ metrics: report.metrics }),
        acknowledges: false,
        digest: null,
      })
    }
  })
  return { reports, rejected }
}

type Numbers = Pick<Report, 'bootId' | 'seq' | 'observedAt' | 'digest'>

function numbersOf(request: InstanceRequest, own: OwnNumbers, now: number): Numbers {
  const { body } = request
  const bootId = bootOf(body)
  const seq = sequenceOf(body)
  if (bootId !== null && seq !== null) return { bootId, seq, observedAt: observedAt(body, now), digest: null }
  const number = own.of(request)
  return {
    bootId: number.bootId,
    seq: number.seq,
    observedAt: observedAt(body, number.at),
    digest: number.digest,
  }
}

function bootOf(body: Record<string, unknown>): string | null {
  const bootId = word(body.boot_id, 36)
  return bootId !== null && UUID.test(bootId) ? bootId : null
}

const sequenceOf = ({ seq }: Record<string, unknown>): number | null =>
  typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 0 ? seq : null

/** Its own time, without one now. The vendor lets none lie in the future; a relay's wrong clock must not move it. */
function observedAt(body: Record<string, unknown>, now: number): number {
  const at = typeof body.observed_at === 'string' ? Date.parse(body.observed_at) : Number.NaN
  return Number.isNaN(at) ? now : at
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {}
}
