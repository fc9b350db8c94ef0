// Delivers queued reports to the vendor, in order, in batches that count once however often they are sent.

import { telemetryAnswer } from '../../contract/instance-api.schema.ts'
import type { TelemetryAnswer } from '../../contract/instance-api.ts'
import { RELAY_BATCH } from '../../contract/relay-api.ts'
import type { Logger } from '../../platform/logger.ts'
import type { QueuedReport, ReportQueue } from '../store/queue.ts'
import type { Upstream } from '../upstream/client.ts'
import { wireReport } from '../wire-report.ts'
import type { SyncOutcome } from './licenses.ts'

/** What a report itself can be at fault for; anything else says nothing of it. */
const SPOILT = new Set([400, 413, 422])

const accounted = ({ accepted, duplicates, rejected }: TelemetryAnswer): number =>
  accepted + duplicates + rejected.length

/** Bytes of one batch: the vendor takes 1 MiB. */
const BATCH_BYTES = 900_000

export interface DeliverContext {
  queue: ReportQueue
  upstream: Upstream
  relayKey: string
  log: Logger
  isStopping(): boolean
}

const DONE: SyncOutcome = { kind: 'done' }
const AGAIN: SyncOutcome = { kind: 'away', why: 'reports still wait', retryAfter: null }

/** Where it is not done, the vendor was away or did not take it; nothing is lost. */
export async function deliver(context: DeliverContext): Promise<SyncOutcome> {
  const { queue, upstream, relayKey, log } = context
  let most = RELAY_BATCH
  while (!context.isStopping()) {
    const batch = within(queue.next(most))
    if (batch.length === 0) return DONE
    const result = await upstream.send({
      method: 'POST',
      path: '/api/v1/telemetry',
      bearer: relayKey,
      body: JSON.stringify({ reports: batch.map(wireReport) }),
    })
    if (result.kind === 'away') return { ...result, why: `reports still wait: ${result.why}` }
    // Not this relay's word any more: the reports wait for a new enrolment, within their bounds.
    if (result.status === 401 || result.status === 403) {
      log.warn(
        { status: result.status, reports: batch.length },
        'the vendor does not take reports of this relay',
      )
      return { kind: 'refused', status: result.status }
    }
    const taken = result.status < 300 ? telemetryAnswer.safeParse(result.body).data : undefined
    const isTaken = taken !== undefined && accounted(taken) === batch.length
    if (!isTaken && !SPOILT.has(result.status)) return AGAIN
    const rejected = taken?.rejected ?? []
    if (!isTaken && batch.length > 1) {
      // One of them spoils the batch as a whole: halves find it, in twice as many requests as it can be halved.
      most = Math.ceil(batch.length / 2)
      continue
    }
    if (rejected.length > 0 || result.status >= 300) {
      log.warn({ rejected, status: result.status }, 'the vendor did not take some reports')
    }
    queue.remove(batch.map(({ id }) => id))
    most = Math.min(RELAY_BATCH, most * 2)
  }
  return AGAIN
}

/** As many from the front as one body holds. */
function within(reports: readonly QueuedReport[]): QueuedReport[] {
  let bytes = 0
  return reports.filter(({ body }, index) => {
    bytes += body.length + 300
    return index === 0 || bytes <= BATCH_BYTES
  })
}
