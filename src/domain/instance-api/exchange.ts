// Exchange: an API key for a license JWT. Claims a seat; the same instance never takes a second one.
import type { ExchangeRequest, TokenAnswer } from '../../contract/instance-api.ts'
import { instanceKey } from '../../platform/ids.ts'
import type { Bearer } from '../kernel/bearer.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import type { Pipeline } from './flow/pipeline.ts'
import type { Decided, Turn, View } from './flow/turn.ts'
import { signingOf } from './grants/signing.ts'
import { type FoundApiKey, findApiKey } from './proof/find-api-key.ts'
import { tokenHash } from './proof/presented.ts'
import { apiKeyUnknown } from './proof/refusals.ts'
import { answerSession } from './sessions/answer-session.ts'
import { openSession } from './sessions/open-session.ts'
import type { SessionRequest } from './sessions/session.ts'

/** @throws Refusal 401 about the key, 403 about the license, instance or seats, 409 about the instance id. */
export async function exchange(
  ctx: Ctx,
  pipeline: Pipeline,
  bearer: Bearer,
  body: ExchangeRequest,
): Promise<TokenAnswer> {
  if (bearer.kind !== 'api_key') {
    throw new Refusal('api_key_unknown', 'This needs an API key.', { fix: 'Send an API key (sk-…).' })
  }
  const key = await findApiKey(ctx, bearer.text)
  return pipeline.submit(exchangeTurn(ctx, key, body))
}

export function exchangeTurn(ctx: Ctx, key: FoundApiKey, body: ExchangeRequest): Turn<TokenAnswer> {
  const { productCode } = key.license
  const instanceId = body.instance_id
  const request: SessionRequest = {
    subject: { productCode, instanceId, key: instanceKey(productCode, instanceId) },
    licenseId: key.licenseId,
    credential: { source: 'api_key', id: key.id },
    begins: true,
    facts: { version: body.version, fingerprint: body.fingerprint },
    seat: { kind: 'claim' },
    tokenHash: body.instance_token === undefined ? undefined : tokenHash(ctx, body.instance_token),
    boundJwt: false,
    tokenWish: 'if_unused',
    chain: body,
  }
  return {
    ctx,
    subject: request.subject,
    weight: { signatures: body.nonce === undefined ? 1 : 2, reports: 0, bytes: 1_500 },
    bootIds: [],
    licenseId: key.licenseId,
    // Most who exchange hold their seat already.
    changesSeat: false,
    mayCreate: true,
    credentials: [request.credential],
    staticJwtId: null,
    namesSeat: false,
    decide: (view) => decide(view, request, body),
  }
}

function decide(view: View, request: SessionRequest, body: ExchangeRequest): Decided<TokenAnswer> {
  const license = view.facts.license(request.licenseId)
  if (!license) throw apiKeyUnknown()
  const opened = openSession(view, license, request)
  if (opened.kind === 'needs_license') return { needsLicense: license.id }
  const answer = answerSession(signingOf(view), opened.session, body.nonce)
  return { answer, effects: opened.effects, accepted: true }
}
