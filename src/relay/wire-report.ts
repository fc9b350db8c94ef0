// A queued report as the vendor reads it. Decides nothing.
import type { RelayReport } from '../contract/relay-api.ts'
import { rfc3339 } from '../platform/time.ts'
import type { QueuedReport } from './store/queue.ts'

export function wireReport(report: Omit<QueuedReport, 'id'>): RelayReport {
  const { kind, product, instanceId, bootId, seq, observedAt, body } = report
  return {
    kind,
    product,
    instance_id: instanceId,
    boot_id: bootId,
    seq,
    observed_at: rfc3339(new Date(observedAt)),
    ...(JSON.parse(body) as Pick<RelayReport, 'metrics'>),
  }
}
