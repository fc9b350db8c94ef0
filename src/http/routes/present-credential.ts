// Credentials as the admin API shows them. A secret is shown by the one route that issued it, and never here.
import type {
  ApiKeyAnswer,
  LicenseKeyAnswer,
  StaticJwtAnswer,
} from '../../contract/admin-credentials.schema.ts'
import type { ApiKeyRow } from '../../domain/licenses/issue-api-key.ts'
import type { LicenseKeyRow } from '../../domain/licenses/issue-license-key.ts'
import type { StaticJwtRow } from '../../domain/licenses/list-credentials.ts'
import { publicId } from '../../platform/ids.ts'
import { rfc3339 } from '../../platform/time.ts'

export const presentApiKey = (row: ApiKeyRow, now: Date): ApiKeyAnswer => ({
  id: publicId('key', row.id),
  ...shared(row, now),
  prefix: row.prefix,
  replaced_by: row.replacedBy && publicId('key', row.replacedBy),
})

/** Only a key that is a lease of its own expires by itself; any other holds as long as its license (T6). */
export const presentLicenseKey = (row: LicenseKeyRow, now: Date): LicenseKeyAnswer => ({
  id: publicId('lk', row.id),
  ...shared(row, now),
  status: licenseKeyStatus(row, now),
  prefix: row.prefix,
  offline: row.offline,
  retired_at: row.retiredAt && rfc3339(row.retiredAt),
  replaced_by: row.replacedBy && publicId('lk', row.replacedBy),
})

function licenseKeyStatus(row: LicenseKeyRow, now: Date): LicenseKeyAnswer['status'] {
  if (row.revokedAt !== null) return 'revoked'
  if (row.retiredAt !== null) return 'retired'
  return row.offline && row.expiresAt !== null && row.expiresAt <= now ? 'expired' : 'active'
}

export const presentStaticJwt = (row: StaticJwtRow, now: Date): StaticJwtAnswer => ({
  id: publicId('sjw', row.id),
  ...shared(row, now),
  expires_at: rfc3339(row.expiresAt),
  refreshable: row.refreshable,
  instance: row.boundInstanceKey === null ? null : publicId('ins', row.boundInstanceKey),
})

function shared(row: ApiKeyRow | LicenseKeyRow | StaticJwtRow, now: Date) {
  const over = row.expiresAt !== null && row.expiresAt <= now
  return {
    license_id: publicId('lic', row.licenseId),
    name: row.name,
    status: row.revokedAt !== null ? ('revoked' as const) : over ? ('expired' as const) : ('active' as const),
    expires_at: row.expiresAt === null ? null : rfc3339(row.expiresAt),
    revoked_at: row.revokedAt === null ? null : rfc3339(row.revokedAt),
    end_sessions: row.endSessions,
    created_at: rfc3339(row.createdAt),
  }
}
