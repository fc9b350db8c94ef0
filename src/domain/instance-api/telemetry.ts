// The batch route: many reports of one instance, each judged by itself.
import { telemetryReport } from '../../contract/instance-api.schema.ts'
import type { TelemetryAnswer } from '../../contract/instance-api.ts'
import { instanceKey } from '../../platform/ids.ts'
import type { Bearer } from '../kernel/bearer.ts'
import type { Ctx } from '../kernel/context.ts'
import type { Pipeline } from './flow/pipeline.ts'
import { proofNeeds } from './proof/proof-needs.ts'
import { proveReporter } from './proof/prove-reporter.ts'
import { reporterOf } from './proof/reporter-of.ts'
import type { Report } from './reports/report.ts'
import { reportTurn } from './reports/report-turn.ts'

/** @throws Refusal 401 about the credential. A bad report is listed in the answer and fails no other. */
export async function telemetry(
  ctx: Ctx,
  pipeline: Pipeline,
  bearer: Bearer,
  raw: readonly unknown[],
): Promise<TelemetryAnswer> {
  const { reporter, presented } = await reporterOf(ctx, bearer)
  const answer: TelemetryAnswer = { accepted: 0, duplicates: 0, rejected: [] }
  const reports: Omit<Report, 'proof'>[] = []
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
        product: reporter.productCode,
        instanceId: reporter.instanceId,
        metrics,
        bootId: boot_id,
        seq,
        observedAt: observed_at,
      })
    }
  }
  const { productCode, instanceId } = reporter
  const turn = reportTurn(ctx, {
    subject: { productCode, instanceId, key: instanceKey(productCode, instanceId) },
    reports,
    ...proofNeeds(presented),
    mayCreate: presented.kind === 'jwt',
    // A token was looked up without a lock: it may be another instance's by now.
    prove: (view) => proveReporter(view, presented, reporter),
  })
  for (const { duplicate } of await pipeline.submit(turn)) {
    if (duplicate) answer.duplicates += 1
    else answer.accepted += 1
  }
  return answer
}
