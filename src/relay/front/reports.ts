// Turns what an instance sends while the vendor is away into reports for the queue. Asks nobody, answers nothing.
import { telemetryReport } from '../../contract/instance-api.schema.ts'
import { relayReport } from '../../contract/relay-api.schema.ts'
import type { QueuedReport } from '../store/queue.ts'
import { wireReport } from '../wire-report.ts'
import type { OwnNumbers } from './own-numbers.ts'
import { type InstanceRequest, sentNumbersOf } from './request.ts'

const MOST_METRICS = 100

type Report = Omit<QueuedReport, 'id'>

/** The report that a heartbeat carries; null where it is none that the vendor would take. */
export function heartbeatReport(
  request: InstanceRequest,
  named: { product: string; instanceId: string },
  own: OwnNumbers,
  now: number,
): Report | null {
  const { metrics, reported_tier, has_valid_entitlement, ack } = request.body
  return takeable({
    kind: 'heartbeat',
    ...named,
    ...numbersOf(request, own, now),
    body: JSON.stringify({ reported_tier, has_valid_entitlement, metrics: metrics ?? {}, ack }),
    acknowledges: (ack ?? null) !== null,
  })
}

/** The report that a refresh carries: its counters stand under `telemetry`. As above. */
export function refreshReport(
  request: InstanceRequest,
  named: { product: string; instanceId: string },
  own: OwnNumbers,
  now: number,
): Report | null {
  const { telemetry, uptime_hours, version, ack } = request.body
  // Whatever a client of another version reports: what is no number is left out, as the vendor leaves it out.
  const numbers = Object.entries({ uptime_hours, ...record(telemetry) })
    .filter(([, value]) => typeof value === 'number' || typeof value === 'boolean')
    .slice(0, MOST_METRICS)
  return takeable({
    kind: 'heartbeat',
    ...named,
    ...numbersOf(request, own, now),
    body: JSON.stringify({ metrics: Object.fromEntries(numbers), server_version: version, ack }),
    acknowledges: (ack ?? null) !== null,
  })
}

/** The reports of a telemetry batch that name this instance; those that are malformed are told by index. */
export function telemetryReports(
  given: readonly unknown[],
  product: string,
  mayReport: (instanceId: string) => boolean,
  now: number,
): { reports: Report[]; rejected: { index: number; error: string }[] } {
  const reports: Report[] = []
  const rejected: { index: number; error: string }[] = []
  given.forEach((one, index) => {
    const parsed = telemetryReport.safeParse(one)
    const report = parsed.success
      ? takeable({
          kind: 'telemetry',
          product,
          instanceId: parsed.data.instance_id,
          bootId: parsed.data.boot_id,
          seq: parsed.data.seq,
          observedAt: observedAt(parsed.data, now),
          body: JSON.stringify({ metrics: parsed.data.metrics }),
          acknowledges: false,
          digest: null,
        })
      : null
    if (report === null) rejected.push({ index, error: 'invalid_request' })
    else if (!mayReport(report.instanceId)) rejected.push({ index, error: 'not_found' })
    else reports.push(report)
  })
  return { reports, rejected }
}

/** What the vendor's schema leaves of it; null where the vendor would not take it, hours after it was acknowledged. */
function takeable(report: Report): Report | null {
  const parsed = relayReport.safeParse(wireReport(report))
  if (!parsed.success) return null
  const { kind, product, instance_id, boot_id, seq, observed_at, ...body } = parsed.data
  return { ...report, body: JSON.stringify(body) }
}

type Numbers = Pick<Report, 'bootId' | 'seq' | 'observedAt' | 'digest'>

function numbersOf(request: InstanceRequest, own: OwnNumbers, now: number): Numbers {
  const { body } = request
  const sent = sentNumbersOf(body)
  if (sent !== null) return { ...sent, observedAt: observedAt(body, now), digest: null }
  const number = own.of(request)
  return {
    bootId: number.bootId,
    seq: number.seq,
    observedAt: observedAt(body, number.at),
    digest: number.digest,
  }
}

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
