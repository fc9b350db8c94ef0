// The credential that a session began with, as its license JWT names it in `cred` (T8).
import { eq } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { apiKeys, licenseKeys, staticJwts } from '../../../db/schema/index.ts'
import { parsePublicId } from '../../../platform/ids.ts'
import type { CredentialName } from '../../kernel/reference.ts'

export type { CredentialName }

export interface SessionCredential extends CredentialName {
  /** No new session begins with it. */
  revoked: boolean
  /** Revoked together with the sessions that it began. */
  ended: boolean
  /** A license key that was replaced: it keeps the seats that it holds and takes none. */
  retired: boolean
  refreshable: boolean
}

const SOURCES = { key: 'api_key', lk: 'license_key', sjw: 'static_jwt' } as const

/** What `cred` of a license JWT names; null when the text names nothing. */
export function credentialNamed(cred: string | undefined): CredentialName | null {
  const prefix = cred?.split('_', 1)[0]
  if (cred === undefined || (prefix !== 'key' && prefix !== 'lk' && prefix !== 'sjw')) return null
  const id = parsePublicId(prefix, cred)
  return id === null ? null : { source: SOURCES[prefix], id }
}

/**
 * The credential as it is now. One that is not on record counts as good: the database was restored from before it,
 * and what names it is signed (T12).
 */
export async function readCredential(
  db: Executor,
  { source, id }: CredentialName,
): Promise<SessionCredential> {
  if (source === 'static_jwt') {
    const [row] = await db.select().from(staticJwts).where(eq(staticJwts.id, id))
    const revoked = row !== undefined && row.revokedAt !== null
    return { source, id, revoked, ended: revoked, retired: false, refreshable: row?.refreshable ?? true }
  }
  const [row] =
    source === 'api_key'
      ? await db
          .select({ revokedAt: apiKeys.revokedAt, endSessions: apiKeys.endSessions })
          .from(apiKeys)
          .where(eq(apiKeys.id, id))
      : await db
          .select({
            revokedAt: licenseKeys.revokedAt,
            endSessions: licenseKeys.endSessions,
            retiredAt: licenseKeys.retiredAt,
          })
          .from(licenseKeys)
          .where(eq(licenseKeys.id, id))
  const revoked = row !== undefined && row.revokedAt !== null
  const retired = row !== undefined && 'retiredAt' in row && row.retiredAt !== null
  return { source, id, revoked, ended: revoked && row.endSessions, retired, refreshable: true }
}
