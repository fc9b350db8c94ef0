// Signs a license key with the product's raw key. It is handed out once and stored only as a hash.
import type { NewLicenseKey } from '../../contract/admin-credentials.schema.ts'
import { LAST_SECOND, type LicenseKeyPayload } from '../../contract/claims.ts'
import type { Transaction } from '../../db/client.ts'
import { licenseKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { signRaw } from '../../mint/sign-raw.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { rfc3339, unixSeconds } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { hashCredential } from '../kernel/credential-hash.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import type { Keyring } from '../kernel/keyring.ts'
import { recordChange } from '../kernel/record-change.ts'
import { holdLicense, standingToIssue } from '../rights/hold-license.ts'
import { findLicense, type LicenseFacts } from '../rights/license-facts.ts'

export type LicenseKeyRow = typeof licenseKeys.$inferSelect

/** How far `issued_at` may run ahead of the clock, in seconds, to tell the keys of one license apart. */
const MOST_SECONDS_AHEAD = 10
const SHOWN_LENGTH = 12

/**
 * The payload has no nonce, and a signature is the same every time: of two keys of a license that were issued in one
 * second, the later one says the next second. Never an earlier one: the signing key may not have been valid then.
 * @throws Refusal `not_found`, `conflict`
 */
export async function issueLicenseKey(
  ctx: Ctx,
  input: NewLicenseKey,
): Promise<{ row: LicenseKeyRow; secret: string }> {
  requireRole(ctx, 'operator')
  const now = ctx.clock.now()
  const licenseId = uuidOf('lic', input.license_id, 'license')
  const keyring = await ctx.keyring.current((await findLicense(ctx.db, licenseId))?.productCode)
  return transaction(ctx.db, async (tx) => {
    const license = await holdLicense(tx, licenseId)
    refuseUnissuable(license, input.offline, now)
    const issued = await insertDistinct(tx, ctx, { keyring, license, input, now })
    await recordChange(tx, ctx, {
      action: 'license_key.issue',
      subject: publicId('lk', issued.row.id),
      event: 'license.changed',
      details: {
        license_id: input.license_id,
        name: input.name,
        offline: input.offline,
        tier: license.tier.code,
        prefix: issued.row.prefix,
      },
      scope: { productId: license.productId, licenseId },
    })
    return issued
  })
}

interface Order {
  keyring: Keyring
  license: LicenseFacts
  input: NewLicenseKey
  now: Date
}

/**
 * A key is a credential: what it is worth is decided by the license's row each time it is presented, so one may be
 * issued while the license is suspended or past its end. An offline key is a lease that nobody can call back.
 */
export function refuseUnissuable(license: LicenseFacts, offline: boolean, now: Date): void {
  if (license.status !== 'revoked' && !offline) return
  const standing = standingToIssue(license, 0, now)
  if (standing.inGrace) throw inGrace(license)
}

/** Signs a key that differs from every other of the license, and stores its hash. @throws Refusal `conflict` */
export async function insertDistinct(
  tx: Transaction,
  ctx: Ctx,
  { keyring, license, input, now }: Order,
): Promise<{ row: LicenseKeyRow; secret: string }> {
  const second = unixSeconds(now)
  const end = license.expiresAt === null ? LAST_SECOND : unixSeconds(license.expiresAt)
  const id = uuidv7(now, ctx.random)
  for (let ahead = 0; ahead <= MOST_SECONDS_AHEAD; ahead += 1) {
    const payload = payloadOf(license, input.offline, second + ahead, end)
    const secret = signRaw(keyring.signer(license.productCode, 'raw', now), 'license_key', payload)
    const [row] = await tx
      .insert(licenseKeys)
      .values({
        id,
        licenseId: license.id,
        hash: hashCredential(ctx, 'license_key', secret),
        prefix: shownPart(secret),
        name: input.name,
        offline: input.offline,
        expiresAt: license.expiresAt,
        endSessions: false,
        createdAt: now,
      })
      .onConflictDoNothing({ target: licenseKeys.hash })
      .returning()
    if (row) return { row, secret }
  }
  throw tooMany()
}

function payloadOf(
  license: LicenseFacts,
  offline: boolean,
  issuedAt: number,
  expiresAt: number,
): LicenseKeyPayload {
  return {
    product: license.productCode,
    tier: license.tier.code,
    customer_id: publicId('cus', license.customerId),
    license_id: publicId('lic', license.id),
    offline,
    issued_at: issuedAt,
    expires_at: expiresAt,
  }
}

/** The payloads of a license's keys begin alike; their signatures do not. */
const shownPart = (secret: string): string => secret.slice(secret.indexOf('.') + 1).slice(0, SHOWN_LENGTH)

const tooMany = () =>
  new Refusal('conflict', 'Too many keys of this license were issued within the last seconds.', {
    facts: { reason: 'issued_too_fast', limit: MOST_SECONDS_AHEAD + 1 },
    fix: 'Try again in ten seconds.',
    headers: { 'Retry-After': String(MOST_SECONDS_AHEAD) },
  })

const inGrace = (license: LicenseFacts) =>
  new Refusal(
    'conflict',
    'The license is in its grace period: an offline key would be expired when issued.',
    {
      facts: {
        reason: 'license_in_grace',
        ...(license.expiresAt ? { expires_at: rfc3339(license.expiresAt) } : {}),
      },
      fix: 'Renew the license first.',
    },
  )
