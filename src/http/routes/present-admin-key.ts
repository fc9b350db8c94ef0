// An admin key as the admin API and the command line show it.
import type { AdminKeyAnswer } from '../../contract/admin-keys.schema.ts'
import type { AdminKeyRow } from '../../domain/admin-keys/create-admin-key.ts'
import { publicId } from '../../platform/ids.ts'
import { rfc3339 } from '../../platform/time.ts'

export const presentAdminKey = (row: AdminKeyRow, now: Date): AdminKeyAnswer => ({
  id: publicId('adm', row.id),
  name: row.name,
  role: row.role,
  status: statusOf(row, now),
  prefix: row.prefix,
  created_at: rfc3339(row.createdAt),
  expires_at: row.expiresAt && rfc3339(row.expiresAt),
  revoked_at: row.revokedAt && rfc3339(row.revokedAt),
})

function statusOf({ revokedAt, expiresAt }: AdminKeyRow, now: Date): AdminKeyAnswer['status'] {
  if (revokedAt !== null) return 'revoked'
  return expiresAt !== null && expiresAt <= now ? 'expired' : 'active'
}
