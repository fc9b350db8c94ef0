// What rotation and revocation share: who may change a product's keys now, how long an old one is still needed, and
// why a raw key is not changed lightly.
import { and, eq, isNull, max } from 'drizzle-orm'
import type { KeyUse } from '../../contract/claims.ts'
import type { Transaction } from '../../db/client.ts'
import { licenses, products, staticJwts, tiers } from '../../db/schema/index.ts'
import { publicId } from '../../platform/ids.ts'
import { addDays, addSeconds } from '../../platform/time.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import { readSignedBy } from './signed-by.ts'
import type { SigningKeyRow } from './signing-key.ts'

/** Until commit, nobody else changes this product's keys; licenses and instances of it are not held up. */
export async function lockProductKeys(tx: Transaction, productId: string): Promise<void> {
  await tx.select({ id: products.id }).from(products).where(eq(products.id, productId)).for('no key update')
}

/**
 * When a key that is superseded at `from` has no token left to verify: the life of what it signs, or the end of the
 * last static JWT, and then the longest grace that any tier or license of the product gives (T4).
 */
export async function retirementOf(
  tx: Transaction,
  ctx: Ctx,
  productId: string,
  use: KeyUse,
  from: Date,
): Promise<Date> {
  const [ofTiers] = await tx
    .select({ days: max(tiers.graceDays) })
    .from(tiers)
    .where(eq(tiers.productId, productId))
  const [ofLicenses] = await tx
    .select({ days: max(licenses.graceDays) })
    .from(licenses)
    .where(eq(licenses.productId, productId))
  const { tokenLife, entitlementLife } = ctx.settings
  const leasesEnd = addSeconds(from, use === 'raw' ? Math.max(tokenLife, entitlementLife) : tokenLife)
  const staticEnd = use === 'raw' ? null : await lastStaticJwt(tx, productId)
  const end = staticEnd !== null && staticEnd > leasesEnd ? staticEnd : leasesEnd
  return addDays(end, Math.max(ofTiers?.days ?? 0, ofLicenses?.days ?? 0))
}

async function lastStaticJwt(tx: Transaction, productId: string): Promise<Date | null> {
  const [found] = await tx
    .select({ end: max(staticJwts.expiresAt) })
    .from(staticJwts)
    .innerJoin(licenses, eq(licenses.id, staticJwts.licenseId))
    .where(and(eq(licenses.productId, productId), isNull(staticJwts.revokedAt)))
  return found?.end ?? null
}

/**
 * Stops a change of a raw key that was not confirmed, and names the clients that it breaks: they pinned its public
 * half (T4). @throws Refusal `confirmation_required`
 */
export async function requireConfirmation(
  tx: Transaction,
  ctx: Ctx,
  key: SigningKeyRow,
  confirm: true | undefined,
  what: string,
): Promise<void> {
  if (key.use === 'jws' || confirm === true) return
  const signed = await readSignedBy(tx, key, ctx.settings.entitlementLife, ctx.clock.now())
  throw new Refusal(
    'confirmation_required',
    `${what} the raw key breaks every client that pinned its hex public key: license keys, envelopes and ` +
      'entitlement tokens are all verified with it, and carry no key id to find another by.',
    {
      facts: {
        reason: 'raw_key_is_pinned',
        breaks: ['license keys', 'envelopes', 'entitlement tokens'],
        license_keys: signed.licenseKeys.count,
        offline_license_keys: signed.offlineKeys,
        instances: signed.entitled,
        first_instances: signed.instances.map(({ instanceKey, instanceId }) => ({
          id: publicId('ins', instanceKey),
          instance_id: instanceId,
        })),
      },
      fix: 'Make sure that every client can be given the new public key, then repeat with "confirm": true.',
    },
  )
}
