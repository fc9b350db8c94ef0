// What was issued for sites without a network, as the admin API shows it.
import type { EnvelopeAnswer } from '../../contract/admin-offline.schema.ts'
import { publicId } from '../../platform/ids.ts'
import { addDays, rfc3339 } from '../../platform/time.ts'
import type { EnvelopeRow } from './issue-envelope.ts'

export const presentEnvelope = (row: EnvelopeRow): EnvelopeAnswer => ({
  id: publicId('env', row.id),
  license_id: publicId('lic', row.licenseId),
  tenant_id: row.tenantId,
  label: row.label,
  instance: row.boundInstanceKey && publicId('ins', row.boundInstanceKey),
  kid: row.kid,
  issued_at: rfc3339(row.issuedAt),
  expires_at: row.expiresAt && rfc3339(row.expiresAt),
  grace_ends_at: row.expiresAt && rfc3339(addDays(row.expiresAt, row.graceDays)),
  issued_by: row.issuedBy,
})
