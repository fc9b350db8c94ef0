// A presented license key: its signature first, then its row, then its license (T2: not knowing is not rejecting).
import { decodeBase64url } from '../../../license/base64.ts'
import { parseJsonObject } from '../../../license/json.ts'
import { licenseKeySteps } from '../../../license/license-key.ts'
import type { TrustedKeys } from '../../../license/trusted-keys.ts'
import { unixSeconds } from '../../../platform/time.ts'
import { type Ctx, Refusal } from '../../kernel/context.ts'
import { hashCredential } from '../../kernel/credential-hash.ts'
import type { CredentialFacts, LicenseFacts } from '../../kernel/reference.ts'
import { readWith } from '../../reference/read-with.ts'
import { verifyNow } from '../../signing/verify-now.ts'
import { knownFacts, settledFacts } from './settled-facts.ts'

export interface FoundLicenseKey extends CredentialFacts {
  license: LicenseFacts
}

const FORM_FAULTS = new Set(['too_large', 'wrong_form', 'bad_encoding', 'not_json', 'duplicate_member'])
/** Longer than a batch takes, and than the seconds that `issued_at` may run ahead. */
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
  let verified = verify((await knownFacts(ctx)).keyring.trusted)
  if (!verified.ok && KEY_FAULTS.has(verified.reason) && isRecent(text, ctx)) {
    verified = verify((await settledFacts(ctx)).keyring.trusted)
  }
  if (!verified.ok) throw FORM_FAULTS.has(verified.reason) ? malformed() : licenseKeyUnknown()
  const hash = hashCredential(ctx, 'license_key', text)
  const { reference } = ctx
  const read = readWith(ctx.db)
  const found = (await reference.load(read, { licenseKeyHashes: [hash] })).licenseKey(hash)
  if (!found) throw licenseKeyUnknown()
  const license = (await reference.load(read, { licenses: [found.licenseId] })).license(found.licenseId)
  if (license?.productCode !== product) throw licenseKeyUnknown()
  return { ...found, license }
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

export const licenseKeyUnknown = () =>
  new Refusal('license_key_unknown', 'This license key is not known here.', {
    fix: 'Check the product and the server address; the key itself may be right elsewhere.',
  })
