// The credential that a session began with, as its license JWT names it in `cred` (T8).
import { eq } from 'drizzle-orm'
import type { CredentialSource } from '../../contract/catalog.ts'
import type { Executor } from '../../db/client.ts'
import { apiKeys, licenseKeys, staticJwts } from '../../db/schema/index.ts'
import { parsePublicId } from '../../platform/ids.ts'

export interface SessionCredential {
  source: CredentialSource
  id: string
  /** Revoked together with the sessions that it began. */
  ended: boolean
  refreshable: boolean
}

const SOURCES = { key: 'api_key', lk: 'license_key', sjw: 'static_jwt' } as const

/**
 * The credential named by `cred`; null when the text names none. One that is not on record counts as good: the
 * database was restored from before it, and the JWT is signed (T12).
 */
export async function findSessionCredential(
  db: Executor,
  cred: string | undefined,
): Promise<SessionCredential | null> {
  const prefix = cred?.split('_', 1)[0]
  if (cred === undefined || (prefix !== 'key' && prefix !== 'lk' && prefix !== 'sjw')) return null
  const id = parsePublicId(prefix, cred)
  if (id === null) return null
  const source = SOURCES[prefix]
  if (source === 'static_jwt') {
    const [row] = await db.select().from(staticJwts).where(eq(staticJwts.id, id))
    const ended = row?.revokedAt !== null && row !== undefined
    return { source, id, ended, refreshable: row?.refreshable ?? true }
  }
  const table = source === 'api_key' ? apiKeys : licenseKeys
  const [row] = await db
    .select({ revokedAt: table.revokedAt, endSessions: table.endSessions })
    .from(table)
    .where(eq(table.id, id))
  const ended = row !== undefined && row.revokedAt !== null && row.endSessions
  return { source, id, ended, refreshable: true }
}
