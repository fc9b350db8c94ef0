// The finding that two copies of an instance are running (T5). Accuses, refuses nothing (T11).
import { ANOMALY_SEVERITY } from '../../contract/anomalies.ts'
import type { Transaction } from '../../db/client.ts'
import type { CloneEvidence } from '../fleet/clone-rule.ts'
import type { InstanceRow } from '../fleet/touch-instance.ts'
import type { Ctx } from '../kernel/context.ts'
import { recordAnomalies } from './record-anomalies.ts'

/** Raises `instance_cloned` for the instance, or its count. The chain is advanced by proven requests only. */
export async function recordClone(
  tx: Transaction,
  ctx: Ctx,
  row: Pick<InstanceRow, 'instanceKey' | 'productId' | 'proof'>,
  evidence: CloneEvidence,
): Promise<void> {
  const now = ctx.clock.now()
  await recordAnomalies(tx, ctx, [
    {
      instanceKey: row.instanceKey,
      productId: row.productId,
      type: 'instance_cloned',
      severity: ANOMALY_SEVERITY.instance_cloned,
      count: 1,
      firstSeenAt: now,
      lastSeenAt: now,
      evidence: { ...evidence },
      proof: row.proof,
    },
  ])
}
