// What rotation and revocation share: who may change a product's keys now, how long an old one is still needed, and
// why a raw key is not changed lightly.
import { and, eq, isNull, max } from 'drizzle-orm'
import { ACTIVATION_LIFE, ALLOTMENT_LIFE, type KeyUse } from '../../contract/claims.ts'
import type { Transaction } from '../../db/client.ts'
import { licenses, offlineActivations, products, staticJwts, tiers } from '../../db/schema/index.ts'
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
 * When a key that is superseded at `from` has nothing left to verify: the end of all that it signs, and then the longest
 * grace that any tier or license of the product gives (T4). What is issued for longer between the call and `from` counts
 * among the old offline grants, which retired keys verify as well.
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
  const end = addSeconds(from, longestLife(ctx, use))
  const last = await LAST_END[use](tx, productId)
  return addDays(
    last !== null && last > end ? last : end,
    Math.max(ofTiers?.days ?? 0, ofLicenses?.days ?? 0),
  )
}

/** Seconds for which whatever a key signs in the ordinary course may be presented. */
function longestLife({ settings: { tokenLife, entitlementLife } }: Ctx, use: KeyUse): number {
  switch (use) {
    case 'license':
      return tokenLife
    case 'control':
      // A directive lives for minutes; an allotment, and an answer that is carried to its site, for weeks.
      return Math.max(tokenLife, ALLOTMENT_LIFE, ACTIVATION_LIFE)
    case 'raw':
      return Math.max(tokenLife, entitlementLife)
  }
}

/** The end of what was signed by hand for longer than that: static JWTs, and leases inside offline answers. */
const LAST_END: Readonly<Record<KeyUse, (tx: Transaction, productId: string) => Promise<Date | null>>> = {
  license: lastStaticJwt,
  control: lastOfflineAnswer,
  raw: async () => null,
}

async function lastStaticJwt(tx: Transaction, productId: string): Promise<Date | null> {
  const [found] = await tx
    .select({ end: max(staticJwts.expiresAt) })
    .from(staticJwts)
    .innerJoin(licenses, eq(licenses.id, staticJwts.licenseId))
    .where(and(eq(licenses.productId, productId), isNull(staticJwts.revokedAt)))
  return found?.end ?? null
}

async function lastOfflineAnswer(tx: Transaction, productId: string): Promise<Date | null> {
  const [found] = await tx
    .select({ end: max(offlineActivations.expiresAt) })
    .from(offlineActivations)
    .innerJoin(licenses, eq(licenses.id, offlineActivations.licenseId))
    .where(eq(licenses.productId, productId))
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
  if (key.use !== 'raw' || confirm === true) return
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
