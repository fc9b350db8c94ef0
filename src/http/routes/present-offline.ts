// What was issued for sites without a network, as the admin API shows it.
import type {
  EnvelopeAnswer,
  IssuedOfflineActivation,
  OfflineActivationAnswer,
} from '../../contract/admin-offline.schema.ts'
import { ACTIVATION_ANSWER, ACTIVATION_VERSION } from '../../contract/offline-activation.ts'
import type { AnsweredActivation, OfflineActivationRow } from '../../domain/offline/activate-offline.ts'
import type { EnvelopeRow } from '../../domain/offline/issue-envelope.ts'
import { publicId } from '../../platform/ids.ts'
import { addDays, rfc3339 } from '../../platform/time.ts'

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

export const presentOfflineActivation = (row: OfflineActivationRow): OfflineActivationAnswer => ({
  id: publicId('ofa', row.id),
  license_id: publicId('lic', row.licenseId),
  instance: publicId('ins', row.instanceKey),
  action: row.action === 'downgrade' ? 'downgrade' : 'none',
  told_action: row.toldAction,
  static_jwt: publicId('sjw', row.staticJwtId),
  issued_at: rfc3339(row.issuedAt),
  expires_at: rfc3339(row.expiresAt),
  seat_ends_at: rfc3339(row.leaseEndsAt),
  issued_by: row.issuedBy,
})

/** The answer file. */
export const presentAnswer = (answered: AnsweredActivation): IssuedOfflineActivation => ({
  ...presentOfflineActivation(answered.row),
  install_before: rfc3339(answered.installBefore),
  kind: ACTIVATION_ANSWER,
  version: ACTIVATION_VERSION,
  activation: answered.activation,
  key_set: answered.keySet,
})
