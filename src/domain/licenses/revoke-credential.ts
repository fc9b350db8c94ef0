// Revokes an API key, a license key or a static license JWT, and ends the sessions that it began when asked to (T8).
import { sql } from 'drizzle-orm'
import type { CredentialSource } from '../../contract/catalog.ts'
import { apiKeys, licenseKeys, staticJwts } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { recordChange } from '../audit/record-change.ts'
import { notFound, uuidOf } from '../catalog/find-catalog.ts'
import { type Ctx, requireRole } from '../context.ts'

const SOURCES = {
  api_key: { table: apiKeys, prefix: 'key', what: 'API key' },
  license_key: { table: licenseKeys, prefix: 'lk', what: 'license key' },
  static_jwt: { table: staticJwts, prefix: 'sjw', what: 'license JWT' },
} as const satisfies Record<CredentialSource, unknown>

/**
 * Repeating it changes nothing, but for sessions: those may be ended later, and are never begun again. A static JWT is
 * its own session. @throws Refusal `not_found`
 */
export async function revokeCredential(
  ctx: Ctx,
  source: CredentialSource,
  id: string,
  order: { end_sessions?: boolean; reason?: string | undefined },
): Promise<void> {
  requireRole(ctx, 'operator')
  const { table, prefix, what } = SOURCES[source]
  const uuid = uuidOf(prefix, id, what)
  const ends = source === 'static_jwt' || (order.end_sessions ?? false)
  const now = ctx.clock.now().toISOString()
  await transaction(ctx.db, async (tx) => {
    const [revoked] = await tx.execute<{ license_id: string; product_id: string }>(sql`
      update ${table} as c set revoked_at = coalesce(c.revoked_at, ${now}::timestamptz),
        end_sessions = ${ends}::boolean
      from licenses l
      where c.id = ${uuid}::uuid and l.id = c.license_id
        and (c.revoked_at is null or (${ends}::boolean and not c.end_sessions))
      returning c.license_id, l.product_id`)
    if (!revoked) {
      const known = await tx.execute(sql`select from ${table} where id = ${uuid}::uuid`)
      return known.length === 0 ? notFound(what) : undefined
    }
    await recordChange(tx, ctx, {
      action: `${source}.revoke`,
      subject: id,
      event: 'license.changed',
      reason: order.reason,
      details: { end_sessions: ends },
      scope: { productId: revoked.product_id, licenseId: revoked.license_id },
    })
  })
}
