// Creates an admin key. Its secret leaves here once, in the answer; what is stored is a hash of it.
import type { NewAdminKey } from '../../contract/admin-keys.schema.ts'
import { adminKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { mintCredential } from '../../platform/credentials.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { parseRfc3339 } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { hashCredential } from '../kernel/credential-hash.ts'
import { recordChange } from '../kernel/record-change.ts'
import { holdAdminKeys } from './last-owner.ts'

export type AdminKeyRow = Omit<typeof adminKeys.$inferSelect, 'hash'>

/** The key and its secret, shown once. @throws Refusal `invalid_request` for an end that is not in the future. */
export async function createAdminKey(
  ctx: Ctx,
  input: NewAdminKey,
): Promise<{ key: AdminKeyRow; secret: string }> {
  requireRole(ctx, 'owner')
  const now = ctx.clock.now()
  const expiresAt = readEnd(input.expires_at, now)
  const { secret, prefix } = mintCredential('admin_key', ctx.random)
  const id = uuidv7(now, ctx.random)
  const key = {
    id,
    name: input.name,
    role: input.role,
    prefix,
    createdAt: now,
    expiresAt,
    revokedAt: null,
  }
  await transaction(ctx.db, async (tx) => {
    await holdAdminKeys(tx, ctx)
    await tx.insert(adminKeys).values({ ...key, hash: hashCredential(ctx, 'admin_key', secret) })
    await recordChange(tx, ctx, {
      action: 'admin_key.create',
      subject: publicId('adm', id),
      event: 'admin.changed',
      details: { name: input.name, role: input.role, prefix, expires_at: input.expires_at },
    })
  })
  return { key, secret }
}

/** Null never ends. @throws Refusal `invalid_request` unless it is in the future. */
export function readEnd(text: string | null, now: Date): Date | null {
  if (text === null) return null
  const end = parseRfc3339(text)
  if (end > now) return end
  throw new Refusal('invalid_request', 'The key would have expired already.', {
    facts: { errors: [{ pointer: '/expires_at', message: 'is not in the future' }] },
    fix: 'Give a time in the future, or leave expires_at out.',
  })
}
