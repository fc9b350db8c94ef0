// A presented license key: its signature first, then its row, then its license (T2: not knowing is not rejecting).
import { eq } from 'drizzle-orm'
import { licenseKeys } from '../../../db/schema/index.ts'
import { decodeBase64url } from '../../../license/base64.ts'
import { parseJsonObject } from '../../../license/json.ts'
import { licenseKeySteps } from '../../../license/license-key.ts'
import type { TrustedKeys } from '../../../license/trusted-keys.ts'
import { unixSeconds } from '../../../platform/time.ts'
import { type Ctx, Refusal } from '../../kernel/context.ts'
import { hashCredential } from '../../kernel/credential-hash.ts'
import { findLicense, type LicenseFacts } from '../../rights/license-facts.ts'
import { verifyNow } from '../../signing/verify-now.ts'

export interface FoundLicenseKey {
  id: string
  license: LicenseFacts
  revoked: boolean
}

const FORM_FAULTS = new Set(['too_large', 'wrong_form', 'bad_encoding', 'not_json', 'duplicate_member'])
/** Longer than a keyring serves (2 s), and than the seconds that `issued_at` may run ahead. */
const RECENT_SECONDS = 15
/** Raw objects name no key: one that was made a moment ago, by another process, shows as either. */
const KEY_FAULTS = new Set(['bad_signature', 'unknown_key'])

/**
 * The license that the key proves. A key whose signature does not hold reaches no table.
 * @throws Refusal 400 `license_key_malformed`, 404 `license_key_unknown`.
 */
export async function findLicenseKey(ctx: Ctx, product: string, text: string): Promise<FoundLicenseKey> {
  const verify = (keys: TrustedKeys) =>
    verifyNow(
      licenseKeySteps(text, {
        product,
        keys,
        acceptRetired: true,
        age: 'any',
        now: unixSeconds(ctx.clock.now()),
      }),
    )
  let verified = verify((await ctx.keyring.current()).trusted)
  if (!verified.ok && KEY_FAULTS.has(verified.reason) && isRecent(text, ctx)) {
    verified = verify((await ctx.keyring.reload()).trusted)
  }
  if (!verified.ok) throw FORM_FAULTS.has(verified.reason) ? malformed() : unknown()
  const [row] = await ctx.db
    .select()
    .from(licenseKeys)
    .where(eq(licenseKeys.hash, hashCredential(ctx, 'license_key', text)))
  const license = row ? await findLicense(ctx.db, row.licenseId) : null
  if (!row || !license || license.productCode !== product) throw unknown()
  return { id: row.id, license, revoked: row.revokedAt !== null }
}

/**
 * Whether the key says that it was issued a moment ago, so that the keys may be newer than those in memory. Unproven:
 * whoever lies about it makes the keys be read again, one read at a time.
 */
function isRecent(text: string, ctx: Ctx): boolean {
  const bytes = decodeBase64url(text.split('.', 1)[0] ?? '')
  const payload = bytes && parseJsonObject(bytes)
  const issuedAt = payload?.ok ? payload.value.issued_at : undefined
  return typeof issuedAt === 'number' && issuedAt >= unixSeconds(ctx.clock.now()) - RECENT_SECONDS
}

const malformed = () =>
  new Refusal('license_key_malformed', 'This is not a license key.', {
    fix: 'Copy the whole key: two parts of letters, digits, - and _ with a dot between them.',
  })

const unknown = () =>
  new Refusal('license_key_unknown', 'This license key is not known here.', {
    fix: 'Check the product and the server address; the key itself may be right elsewhere.',
  })
