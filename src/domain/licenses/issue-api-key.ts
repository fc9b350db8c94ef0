// Issues an API key of a license. The secret is handed out once and stored only as a hash.
import type { NewApiKey } from '../../contract/admin-credentials.schema.ts'
import { apiKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { mintCredential } from '../../platform/credentials.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { parseRfc3339 } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { hashCredential } from '../kernel/credential-hash.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { holdLicense } from '../rights/hold-license.ts'
import type { LicenseFacts } from '../rights/license-facts.ts'

export type ApiKeyRow = typeof apiKeys.$inferSelect

/**
 * A license that is suspended or past its grace may have keys: they prove it, and grant nothing by themselves.
 * @throws Refusal `not_found`, `invalid_request`, `conflict` when the license was revoked.
 */
export async function issueApiKey(ctx: Ctx, input: NewApiKey): Promise<{ row: ApiKeyRow; secret: string }> {
  requireRole(ctx, 'operator')
  const now = ctx.clock.now()
  const licenseId = uuidOf('lic', input.license_id, 'license')
  const { secret, prefix } = mintCredential('api_key', ctx.random)
  const row: ApiKeyRow = {
    id: uuidv7(now, ctx.random),
    licenseId,
    hash: hashCredential(ctx, 'api_key', secret),
    prefix,
    name: input.name,
    expiresAt: input.expires_at === null ? null : parseRfc3339(input.expires_at),
    revokedAt: null,
    endSessions: false,
    createdAt: now,
    replacedBy: null,
  }
  refusePast(row, now)
  await transaction(ctx.db, async (tx) => {
    const license = await holdLicense(tx, licenseId)
    refuseRevoked(license)
    await tx.insert(apiKeys).values(row)
    await recordChange(tx, ctx, {
      action: 'api_key.issue',
      subject: publicId('key', row.id),
      event: 'license.changed',
      details: { license_id: input.license_id, name: row.name, prefix, expires_at: input.expires_at },
      scope: { productId: license.productId, licenseId },
    })
  })
  return { row, secret }
}

/** @throws Refusal `invalid_request` for a key whose end has come. */
export function refusePast({ expiresAt }: Pick<ApiKeyRow, 'expiresAt'>, now: Date): void {
  if (expiresAt === null || expiresAt > now) return
  throw new Refusal('invalid_request', 'The key would have expired already.', {
    facts: { errors: [{ pointer: '/expires_at', message: 'is in the past' }] },
    fix: 'Name a later time, or leave expires_at out.',
  })
}

/** @throws Refusal `conflict` for a license that was revoked. */
export function refuseRevoked({ status }: Pick<LicenseFacts, 'status'>): void {
  if (status !== 'revoked') return
  throw new Refusal('conflict', 'The license was revoked, and that is final.', {
    facts: { reason: 'license_revoked' },
    fix: 'Issue a new license to the customer.',
  })
}
