// Anomalies as the admin API shows them.
import type { AnomalyAnswer } from '../../contract/admin-anomalies.schema.ts'
import { type AnomalyView, isOfInstance } from '../../domain/anomalies/list-anomalies.ts'
import { publicId } from '../../platform/ids.ts'
import { rfc3339 } from '../../platform/time.ts'

export const presentAnomaly = (row: AnomalyView): AnomalyAnswer => ({
  id: publicId('ano', row.id),
  instance: isOfInstance(row) ? { id: publicId('ins', row.instanceKey), instance_id: row.instanceId } : null,
  relay: row.relayName === null ? null : { id: publicId('rly', row.instanceKey), name: row.relayName },
  product: row.productCode,
  type: row.type,
  severity: row.severity,
  count: row.count,
  first_seen_at: rfc3339(row.firstSeenAt),
  last_seen_at: rfc3339(row.lastSeenAt),
  evidence: row.evidence,
  proof: row.proof,
  verified: row.proof !== 'none',
  resolved_at: row.resolvedAt === null ? null : rfc3339(row.resolvedAt),
  resolved_by: row.resolvedBy,
  note: row.note,
})
