// Who is behind an admin key. Every request asks the database: a revoked key is dead at once, on every process.
import { eq } from 'drizzle-orm'
import { adminKeys } from '../../db/schema/index.ts'
import { wellFormed } from '../../platform/credentials.ts'
import { publicId } from '../../platform/ids.ts'
import { rfc3339 } from '../../platform/time.ts'
import type { Bearer } from '../kernel/bearer.ts'
import { type Actor, type Ctx, Refusal } from '../kernel/context.ts'
import { hashCredential } from '../kernel/credential-hash.ts'

/**
 * The admin whose key this is.
 * @throws Refusal `admin_key_unknown` (without a query when the credential is of another kind or mistyped),
 * `admin_key_revoked`, `admin_key_expired`.
 */
export async function authenticateAdmin(ctx: Ctx, bearer: Bearer): Promise<Actor> {
  if (bearer.kind !== 'admin_key' || !wellFormed('admin_key', bearer.text)) throw unknownAdminKey()
  const [key] = await ctx.db
    .select({
      id: adminKeys.id,
      role: adminKeys.role,
      expiresAt: adminKeys.expiresAt,
      revokedAt: adminKeys.revokedAt,
    })
    .from(adminKeys)
    .where(eq(adminKeys.hash, hashCredential(ctx, 'admin_key', bearer.text)))
  if (!key) throw unknownAdminKey()
  refuseDead(key, ctx.clock.now())
  ctx.credentialAccepted?.()
  return { kind: 'admin', id: publicId('adm', key.id), role: key.role }
}

/** @throws Refusal `admin_key_revoked`, `admin_key_expired` */
export function refuseDead(key: { revokedAt: Date | null; expiresAt: Date | null }, now: Date): void {
  if (key.revokedAt !== null) {
    throw new Refusal('admin_key_revoked', `This admin key was revoked at ${rfc3339(key.revokedAt)}.`, {
      facts: { revoked_at: rfc3339(key.revokedAt) },
      fix: 'Use another admin key; an owner can create one.',
    })
  }
  if (key.expiresAt !== null && key.expiresAt <= now) {
    throw new Refusal('admin_key_expired', `This admin key expired at ${rfc3339(key.expiresAt)}.`, {
      facts: { expired_at: rfc3339(key.expiresAt) },
      fix: 'Use another admin key; an owner can create one.',
    })
  }
}

export const unknownAdminKey = () =>
  new Refusal('admin_key_unknown', 'This is not an admin key of this server.', {
    fix: 'Send Authorization: Bearer and a whole admin key, which begins with lak_.',
  })
