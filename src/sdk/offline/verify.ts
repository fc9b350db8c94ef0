// One token, judged: against the product's keys and tenant, its own dates, and what the server has said of its license.
import type { EnvelopePayload } from '../../contract/claims.ts'
import { ENVELOPE_REFUSALS, NO_PUBLIC_KEY, revokedReason } from '../../license/messages.ts'
import { DAY, isThrough } from '../../license/times.ts'
import type { Grant } from '../grants/grant.ts'
import { isDead } from '../grants/rejection.ts'
import type { Inside } from '../runtime/inside.ts'
import { nowSeconds } from '../time/clock.ts'

export interface Genuine {
  token: string
  grant: Grant
  claims: EnvelopePayload
}

/** Codes and the reference's words of why not. */
interface Refusal {
  reason: string
  message: string
}

export type Judged =
  | { verdict: 'good'; genuine: Genuine }
  /** The vendor did sign it, for this tenant; it ended, or was taken back since. */
  | ({ verdict: 'ended'; genuine: Genuine } & Refusal)
  | ({ verdict: 'bad' } & Refusal)

export type Refused = Exclude<Judged, { verdict: 'good' }>

/** Never rejects: what goes wrong is a verdict. */
export async function judge({ driver, trust }: Inside, token: string, tenantId: string): Promise<Judged> {
  const { community } = driver.state().config
  const verified = await trust.envelope(token, tenantId, community.tier)
  if (!trust.knowsRawKeys()) return { verdict: 'bad', reason: 'unknown_key', message: NO_PUBLIC_KEY }
  if (!verified.ok) {
    return { verdict: 'bad', reason: verified.reason, message: verified.detail ?? verified.reason }
  }
  driver.dispatch({ type: 'tick' })
  const { rejections, revokedKeys, time } = driver.state()
  const { grant, claims } = verified.value
  const genuine = { token, grant, claims }
  if (revokedKeys.has(grant.kid)) {
    return { verdict: 'bad', reason: 'key_revoked', message: ENVELOPE_REFUSALS.signature }
  }
  const rejection = rejections[grant.licenseId]
  if (rejection && isDead(grant, rejections)) {
    const message = revokedReason(rejection.iat, rejection.status)
    return { verdict: 'ended', genuine, reason: rejection.reason, message }
  }
  const { exp, gracePeriodDays } = claims
  if (!isThrough(exp + gracePeriodDays * DAY, { now: nowSeconds(time) })) {
    const message = ENVELOPE_REFUSALS.expired(exp, gracePeriodDays)
    return { verdict: 'ended', genuine, reason: 'expired', message }
  }
  return { verdict: 'good', genuine }
}
