// The answer of activate and validate, granted or denied: always HTTP 200 (an answer is not an error).
import { PERPETUAL } from '../../../contract/catalog.ts'
import type { SeatAnswer } from '../../../contract/instance-api.ts'
import { publicId } from '../../../platform/ids.ts'
import { rfc3339 } from '../../../platform/time.ts'
import type { LicenseFacts } from '../../kernel/reference.ts'
import { type GrantedRights, lowestRights } from '../../rights/granted-rights.ts'
import { instanceConfig } from '../grants/instance-config.ts'
import { signEntitlementToken, signSessionJwt } from '../grants/sign-grant.ts'
import type { Signing } from '../grants/signing.ts'
import { sessionDirective } from './answer-session.ts'
import { denialTerms } from './denials.ts'
import type { Session, SessionDenial } from './session.ts'

/** A denial shows the rights that are left, the lowest tier's, and carries no token of any kind. */
export function answerSeat(
  signing: Signing,
  session: Session | SessionDenial,
  granted: 'active' | 'valid',
  nonce: string | undefined,
): SeatAnswer {
  const directive = sessionDirective(signing, session, nonce)
  const extras = {
    ...(session.instanceToken === undefined ? {} : { instance_token: session.instanceToken }),
    ...(directive === undefined ? {} : { directive }),
  }
  if (!session.granted) {
    const { status, reason, detail, fix, facts } = denialTerms(session)
    const left = describe(session.license, lowestRights(session.license))
    return { ...facts, status, reason, message: detail, fix, ...left, ...extras }
  }
  const entitlement = signEntitlementToken(signing, {
    license: session.license,
    rights: session.rights,
    instanceId: session.instance.instanceId,
    leaseExp: session.standing.exp,
    at: session.grantedAt,
  })
  return {
    status: granted,
    ...(session.standing.inGrace ? { reason: 'in_grace' } : {}),
    ...describe(session.license, session.rights),
    ...(entitlement === undefined ? {} : { entitlement_token: entitlement }),
    ...signSessionJwt(signing, session),
    refresh_token: session.refreshToken,
    config: instanceConfig(signing.settings),
    ...extras,
  }
}

function describe(license: LicenseFacts, rights: GrantedRights) {
  return {
    tier: rights.tier,
    customer_id: publicId('cus', license.customerId),
    customer_name: license.customerName,
    company: license.company,
    expires_at: license.expiresAt ? rfc3339(license.expiresAt) : PERPETUAL,
    issued_at: rfc3339(license.issuedAt),
    limits: rights.limits,
    is_trial: license.isTrial,
  }
}
