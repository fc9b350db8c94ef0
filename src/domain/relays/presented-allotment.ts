// Holds an allotment that a relay presents against this server's keys.
import type { AllotmentClaims } from '../../contract/claims.ts'
import { allotmentSteps } from '../../license/allotment.ts'
import type { TrustedKeys } from '../../license/trusted-keys.ts'
import { unixSeconds } from '../../platform/time.ts'
import type { Ctx } from '../kernel/context.ts'
import { verifyNow } from '../signing/verify-now.ts'

/**
 * Its claims, if this server signed it and it runs; else null, for what is none tells nothing: keys may have been
 * revoked, and the relay is to get a new one all the same.
 */
export async function presentedAllotment(ctx: Ctx, token: string): Promise<AllotmentClaims | null> {
  const verify = (keys: TrustedKeys) =>
    verifyNow(
      allotmentSteps(token, {
        issuer: ctx.settings.issuer,
        product: null,
        keys,
        acceptRetired: true,
        age: 'unexpired',
        now: unixSeconds(ctx.clock.now()),
      }),
    )
  let verified = verify((await ctx.keyring.current()).trusted)
  if (!verified.ok && verified.reason === 'unknown_key') {
    verified = verify((await ctx.keyring.reload()).trusted)
  }
  if (verified.ok) return verified.claims
  ctx.log.debug({ reason: verified.reason }, 'allotment not taken in')
  return null
}
