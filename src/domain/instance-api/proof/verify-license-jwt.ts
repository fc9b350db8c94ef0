// Holds a presented license JWT against this server's keys. The signature is checked before any query about it.
import type { LicenseClaims } from '../../../contract/claims.ts'
import { type LeaseAge, licenseJwtSteps } from '../../../license/license-jwt.ts'
import type { TrustedKeys } from '../../../license/trusted-keys.ts'
import { parsePublicId } from '../../../platform/ids.ts'
import { unixSeconds } from '../../../platform/time.ts'
import { type Ctx, Refusal } from '../../kernel/context.ts'
import { verifyNow } from '../../signing/verify-now.ts'
import { jwtNotAccepted } from './refusals.ts'
import { knownFacts, settledFacts } from './settled-facts.ts'

export interface PresentedJwt {
  claims: LicenseClaims
  /** The key that signed it. */
  kid: string
  licenseId: string
  seatId: string | null
  expired: boolean
}

/**
 * The claims of a license JWT of this server. Retired keys still verify (T4); `within_grace` is for refresh alone (T8).
 * @throws Refusal 401 `license_jwt_invalid`, `license_jwt_expired`.
 */
export async function presentedJwt(ctx: Ctx, token: string, age: LeaseAge): Promise<PresentedJwt> {
  const now = unixSeconds(ctx.clock.now())
  const verify = (keys: TrustedKeys) =>
    verifyNow(
      licenseJwtSteps(token, {
        issuer: ctx.settings.issuer,
        product: null,
        keys,
        acceptRetired: true,
        age,
        now,
      }),
    )
  let verified = verify((await knownFacts(ctx)).keyring.trusted)
  if (!verified.ok && verified.reason === 'unknown_key') {
    verified = verify((await settledFacts(ctx)).keyring.trusted)
  }
  if (!verified.ok) {
    if (verified.reason === 'expired') {
      throw new Refusal('license_jwt_expired', 'The license JWT has expired.', {
        fix:
          age === 'within_grace'
            ? 'Exchange the API key, activate the license key, or ask your vendor for a new token.'
            : 'Refresh it first.',
      })
    }
    ctx.log.debug({ reason: verified.reason }, 'license JWT refused')
    throw jwtNotAccepted()
  }
  const { claims, header } = verified
  const licenseId = parsePublicId('lic', claims.license_id)
  const seatId = claims.act === undefined ? null : parsePublicId('act', claims.act)
  if (licenseId === null || (claims.act !== undefined && seatId === null)) throw jwtNotAccepted()
  return { claims, kid: header.kid, licenseId, seatId, expired: now >= claims.exp }
}
