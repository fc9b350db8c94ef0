// The batch route: many reports of one instance, each judged by itself.
import { telemetryReport } from '../../contract/instance-api.schema.ts'
import type { TelemetryAnswer } from '../../contract/instance-api.ts'
import type { Bearer } from '../kernel/bearer.ts'
import type { Ctx } from '../kernel/context.ts'
import { reporterOf } from './proof/reporter-of.ts'
import { recordReports } from './reports/record-reports.ts'
import type { Report } from './reports/report.ts'

/** @throws Refusal 401 about the credential. A bad report is listed in the answer and fails no other. */
export async function recordTelemetry(
  ctx: Ctx,
  bearer: Bearer,
  raw: readonly unknown[],
): Promise<TelemetryAnswer> {
  const { reporter, proof } = await reporterOf(ctx, bearer)
  const answer: TelemetryAnswer = { accepted: 0, duplicates: 0, rejected: [] }
  const reports: Report[] = []
  const indexes: number[] = []
  for (const [index, value] of raw.entries()) {
    const parsed = telemetryReport.safeParse(value)
    if (!parsed.success) {
      answer.rejected.push({ index, error: 'invalid_request' })
    } else if (parsed.data.instance_id !== reporter.instanceId) {
      answer.rejected.push({ index, error: 'instance_mismatch' })
    } else {
      const { boot_id, seq, observed_at, metrics } = parsed.data
      reports.push({
        kind: 'telemetry',
        proof,
        product: reporter.productCode,
        instanceId: reporter.instanceId,
        metrics,
        bootId: boot_id,
        seq,
        observedAt: observed_at,
      })
      indexes.push(index)
    }
  }
  const outcomes = reports.length === 0 ? [] : await recordReports(ctx, reports)
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.status === 'accepted') answer.accepted += 1
    else if (outcome.status === 'duplicate') answer.duplicates += 1
    else answer.rejected.push({ index: indexes[i] ?? i, error: outcome.error })
  }
  return answer
}
