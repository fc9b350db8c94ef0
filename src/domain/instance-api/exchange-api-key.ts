// Exchange: an API key for a license JWT. Claims a seat; the same instance never takes a second one.
import type { ExchangeRequest, TokenAnswer } from '../../contract/instance-api.ts'
import { transaction } from '../../db/transaction.ts'
import type { Bearer } from '../kernel/bearer.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import { answerSession } from './answer-session.ts'
import { openSession } from './open-session.ts'
import { findApiKey } from './proof/find-api-key.ts'

/** @throws Refusal 401 about the key, 403 about the license, instance or seats, 409 about the instance id. */
export async function exchangeApiKey(ctx: Ctx, bearer: Bearer, body: ExchangeRequest): Promise<TokenAnswer> {
  if (bearer.kind !== 'api_key') {
    throw new Refusal('api_key_unknown', 'This needs an API key.', { fix: 'Send an API key (sk-…).' })
  }
  const session = await transaction(ctx.db, async (tx) => {
    const { id, license } = await findApiKey(tx, ctx, bearer.text)
    return openSession(tx, ctx, {
      license,
      credential: { source: 'api_key', id },
      begins: true,
      instanceId: body.instance_id,
      facts: { version: body.version, fingerprint: body.fingerprint },
      seat: { kind: 'claim' },
      instanceToken: body.instance_token,
      boundJwt: false,
      tokenWish: 'if_unused',
      chain: body,
    })
  })
  return answerSession(ctx, session, body.nonce)
}
