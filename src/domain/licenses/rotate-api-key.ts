// Replaces an API key: a new one of the same license, and a while in which both work.
import { and, eq, gt, isNull, or, sql } from 'drizzle-orm'
import { type ApiKeyRotation, OVERLAP_HOURS } from '../../contract/admin-credentials.schema.ts'
import { apiKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { mintCredential } from '../../platform/credentials.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { addSeconds, HOUR_SECONDS, parseRfc3339, rfc3339 } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { hashCredential } from '../kernel/credential-hash.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { spendBudget } from '../kernel/spend-budget.ts'
import { holdLicense } from '../rights/hold-license.ts'
import type { ApiKeyRow } from './issue-api-key.ts'
import { refusePast, refuseRevoked } from './issue-api-key.ts'

/**
 * The old key expires after the overlap, or at its own end where that comes first; sessions that began with it go on.
 * The new key ends when the old one was to, unless it is given another end.
 * An overlap shorter than the usual one counts against the action budget, where it brings the old key's end forward:
 * nobody may have put the new one in its place by then. @throws Refusal `not_found`, `invalid_request`,
 * `action_budget_exceeded`; `conflict` for a key that is replaced, expired or revoked already.
 */
export async function rotateApiKey(
  ctx: Ctx,
  id: string,
  order: Partial<ApiKeyRotation>,
): Promise<{ row: ApiKeyRow; secret: string }> {
  requireRole(ctx, 'operator')
  const now = ctx.clock.now()
  const oldId = uuidOf('key', id, 'API key')
  const overlap = order.overlap_hours ?? OVERLAP_HOURS
  const overlapEnd = addSeconds(now, overlap * HOUR_SECONDS)
  const { secret, prefix } = mintCredential('api_key', ctx.random)
  return transaction(ctx.db, async (tx) => {
    const [known] = await tx.select().from(apiKeys).where(eq(apiKeys.id, oldId))
    if (!known) return notFound('API key')
    const license = await holdLicense(tx, known.licenseId, 'no key update')
    refuseRevoked(license)
    const row: ApiKeyRow = {
      id: uuidv7(now, ctx.random),
      licenseId: known.licenseId,
      hash: hashCredential(ctx, 'api_key', secret),
      prefix,
      name: order.name ?? known.name,
      expiresAt: order.expires_at === undefined ? known.expiresAt : endOf(order.expires_at),
      revokedAt: null,
      endSessions: false,
      createdAt: now,
      replacedBy: null,
    }
    const [old] = await tx
      .update(apiKeys)
      .set({
        replacedBy: row.id,
        expiresAt: sql`least(${apiKeys.expiresAt}, ${overlapEnd.toISOString()}::timestamptz)`,
      })
      .where(
        and(
          eq(apiKeys.id, oldId),
          isNull(apiKeys.replacedBy),
          isNull(apiKeys.revokedAt),
          or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, now)),
        ),
      )
      .returning({ expiresAt: apiKeys.expiresAt })
    if (!old) {
      const [current = known] = await tx.select().from(apiKeys).where(eq(apiKeys.id, oldId))
      throw notReplaceable(current)
    }
    refusePast(row, now)
    await tx.insert(apiKeys).values(row)
    const isCut = overlap < OVERLAP_HOURS && old.expiresAt?.getTime() === overlapEnd.getTime()
    if (isCut) await spendBudget(tx, ctx, 1)
    await recordChange(tx, ctx, {
      action: 'api_key.rotate',
      subject: id,
      event: 'license.changed',
      reason: order.reason,
      details: {
        license_id: publicId('lic', row.licenseId),
        replaced_by: publicId('key', row.id),
        prefix,
        old_expires_at: old.expiresAt && rfc3339(old.expiresAt),
      },
      scope: { productId: license.productId, licenseId: row.licenseId },
    })
    return { row, secret }
  })
}

const endOf = (text: string | null): Date | null => (text === null ? null : parseRfc3339(text))

function notReplaceable(key: Pick<ApiKeyRow, 'revokedAt' | 'replacedBy' | 'licenseId'>): Refusal {
  const fix = 'POST /api/v1/admin/api-keys issues another key of the license.'
  if (key.revokedAt !== null) {
    return new Refusal('conflict', 'The API key was revoked: there is nothing to hand over.', {
      facts: { reason: 'api_key_revoked' },
      fix,
    })
  }
  if (key.replacedBy !== null) {
    return new Refusal('conflict', 'The API key was replaced already.', {
      facts: { reason: 'api_key_replaced', replaced_by: publicId('key', key.replacedBy) },
      fix: 'Rotate the key that replaced it.',
    })
  }
  return new Refusal('conflict', 'The API key has expired: there is nothing to hand over.', {
    facts: { reason: 'api_key_expired' },
    fix,
  })
}
