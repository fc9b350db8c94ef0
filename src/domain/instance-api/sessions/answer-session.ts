// Turns a session into the answer of exchange and refresh, or its denial into a refusal with a directive.
import type { TokenAnswer } from '../../../contract/instance-api.ts'
import { Refusal } from '../../kernel/context.ts'
import { signDirective } from '../grants/directive.ts'
import { instanceConfig } from '../grants/instance-config.ts'
import { signSessionJwt } from '../grants/sign-grant.ts'
import type { Signing } from '../grants/signing.ts'
import { denialTerms } from './denials.ts'
import type { Session, SessionDenial } from './session.ts'

/** The token answer, or the refusal 403 (401 `session_ended`) with the denial's facts and directive. */
export function answerSession(
  signing: Signing,
  session: Session | SessionDenial,
  nonce: string | undefined,
): TokenAnswer | Refusal {
  if (!session.granted) return refusalOf(signing, session, nonce)
  const { jwt, expires_in } = signSessionJwt(signing, session)
  const directive = sessionDirective(signing, session, nonce)
  return {
    jwt,
    expires_in,
    message: session.standing.inGrace ? 'The license has expired and is in its grace period.' : null,
    action: session.instance.action,
    refresh_token: session.refreshToken,
    ...(session.instanceToken === undefined ? {} : { instance_token: session.instanceToken }),
    ...(directive === undefined ? {} : { directive }),
    config: instanceConfig(signing.settings),
  }
}

/** The directive that goes with a session or its denial. */
export function sessionDirective(
  signing: Signing,
  session: Session | SessionDenial,
  nonce: string | undefined,
): string | undefined {
  const { license, instance } = session
  const terms = session.granted ? null : denialTerms(session)
  const takes = terms !== null || instance.action !== 'none'
  return signDirective(
    signing,
    {
      productCode: license.productCode,
      instanceId: instance.instanceId,
      licenseId: license.id,
      status: session.granted ? session.standing.status : (terms?.directive ?? 'unlicensed'),
      action: instance.action,
      seq: instance.actionSeq,
      reason: terms?.reason ?? instance.actionReason ?? '',
      at: takes ? session.decidedAt : session.grantedAt,
    },
    nonce,
  )
}

function refusalOf(signing: Signing, denial: SessionDenial, nonce: string | undefined): Refusal {
  // A seat that was ended is a matter of credentials, not of rights: unsigned (T8).
  const unsigned = unsignedRefusal(denial)
  if (unsigned.code === 'session_ended') return unsigned
  const directive = sessionDirective(signing, denial, nonce)
  return directive === undefined ? unsigned : unsignedRefusal(denial, { directive })
}

/** The refusal of exchange and refresh, without the signed word. */
export function unsignedRefusal(denial: SessionDenial, more: Record<string, unknown> = {}): Refusal {
  const { code, detail, fix, reason, facts } = denialTerms(denial)
  return new Refusal(code, detail, { fix, facts: { ...facts, reason, ...more } })
}
