// Looks an API key up by its hash, with all that is known of its license, in one statement.
import { eq } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { apiKeys, customers, licenses, products, tiers } from '../../../db/schema/index.ts'
import { wellFormed } from '../../../platform/credentials.ts'
import { type Ctx, Refusal } from '../../kernel/context.ts'
import { hashCredential } from '../../kernel/credential-hash.ts'
import { type LicenseFacts, licenseColumns } from '../../rights/license-facts.ts'

/**
 * The license that the key proves. A wrong checksum never reaches the database.
 * @throws Refusal 401 `api_key_unknown`, `api_key_revoked`, `api_key_expired`.
 */
export async function findApiKey(
  db: Executor,
  ctx: Ctx,
  text: string,
): Promise<{ id: string; license: LicenseFacts }> {
  if (!wellFormed('api_key', text)) throw unknown()
  const [found] = await db
    .select({
      ...licenseColumns,
      keyId: apiKeys.id,
      keyExpiresAt: apiKeys.expiresAt,
      keyRevokedAt: apiKeys.revokedAt,
    })
    .from(apiKeys)
    .innerJoin(licenses, eq(licenses.id, apiKeys.licenseId))
    .innerJoin(products, eq(products.id, licenses.productId))
    .innerJoin(tiers, eq(tiers.id, licenses.tierId))
    .innerJoin(customers, eq(customers.id, licenses.customerId))
    .where(eq(apiKeys.hash, hashCredential(ctx, 'api_key', text)))
  if (!found) throw unknown()
  const { keyId, keyExpiresAt, keyRevokedAt, ...license } = found
  if (keyRevokedAt) {
    throw apiKeyRevoked()
  }
  if (keyExpiresAt && keyExpiresAt <= ctx.clock.now()) {
    throw new Refusal('api_key_expired', 'API key has expired', { fix: 'Ask your vendor for a new one.' })
  }
  ctx.credentialAccepted?.()
  return { id: keyId, license }
}

export const apiKeyRevoked = () =>
  new Refusal('api_key_revoked', 'API key has been revoked', { fix: 'Ask your vendor for a new one.' })

const unknown = () =>
  new Refusal('api_key_unknown', 'This API key is not known.', {
    fix: 'Check that the whole key was copied, and that it belongs to this server.',
  })
