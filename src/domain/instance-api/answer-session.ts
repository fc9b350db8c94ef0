// Turns a session into the answer of exchange and refresh, or its denial into a refusal with a directive.
import type { TokenAnswer } from '../../contract/instance-api.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import { denialTerms } from './denials.ts'
import { signDirective } from './grants/directive.ts'
import { instanceConfig } from './grants/instance-config.ts'
import { signSessionJwt } from './grants/sign-grant.ts'
import type { Session, SessionDenial } from './session.ts'

/** The token answer. @throws Refusal 403 (or 401 `session_ended`) with the denial's facts and directive. */
export async function answerSession(
  ctx: Ctx,
  session: Session | SessionDenial,
  nonce: string | undefined,
): Promise<TokenAnswer> {
  if (!session.granted) throw await refusalOf(ctx, session, nonce)
  const { jwt, expires_in } = await signSessionJwt(ctx, session)
  const directive = await sessionDirective(ctx, session, nonce)
  return {
    jwt,
    expires_in,
    message: session.standing.inGrace ? 'The license has expired and is in its grace period.' : null,
    action: session.instance.action,
    refresh_token: session.refreshToken,
    ...(session.instanceToken === undefined ? {} : { instance_token: session.instanceToken }),
    ...(directive === undefined ? {} : { directive }),
    config: instanceConfig(ctx),
  }
}

/** The directive that goes with a session or its denial. */
export function sessionDirective(
  ctx: Ctx,
  session: Session | SessionDenial,
  nonce: string | undefined,
): Promise<string | undefined> {
  const { license, instance } = session
  const terms = session.granted ? null : denialTerms(session)
  return signDirective(
    ctx,
    {
      productCode: license.productCode,
      instanceId: instance.instanceId,
      licenseId: license.id,
      status: session.granted ? session.standing.status : (terms?.directive ?? 'unlicensed'),
      action: instance.action,
      seq: instance.actionSeq,
      reason: terms?.reason ?? instance.actionReason ?? '',
      at: session.at,
    },
    nonce,
  )
}

async function refusalOf(ctx: Ctx, denial: SessionDenial, nonce: string | undefined): Promise<Refusal> {
  // A seat that was ended is a matter of credentials, not of rights: unsigned (T8).
  const unsigned = unsignedRefusal(denial)
  if (unsigned.code === 'session_ended') return unsigned
  const directive = await sessionDirective(ctx, denial, nonce)
  return directive === undefined ? unsigned : unsignedRefusal(denial, { directive })
}

/** The refusal of exchange and refresh, without the signed word. */
export function unsignedRefusal(denial: SessionDenial, more: Record<string, unknown> = {}): Refusal {
  const { code, detail, fix, reason, facts } = denialTerms(denial)
  return new Refusal(code, detail, { fix, facts: { ...facts, reason, ...more } })
}
