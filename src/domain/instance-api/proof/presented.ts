// The credential that a request about one instance brings, checked as far as that goes without the instance's row (T8).

import { wellFormed } from '../../../platform/credentials.ts'
import type { Bearer } from '../../kernel/bearer.ts'
import { type Ctx, Refusal } from '../../kernel/context.ts'
import { hashCredential } from '../../kernel/credential-hash.ts'
import { unknownToken } from './refusals.ts'
import { type PresentedJwt, presentedJwt } from './verify-license-jwt.ts'

export type Presented =
  | { kind: 'none' }
  | { kind: 'instance_token'; hash: string }
  | { kind: 'jwt'; jwt: PresentedJwt }

export const NOTHING: Presented = { kind: 'none' }

/**
 * What proves an instance: its token, or an unexpired license JWT. Everything else is refused.
 * @throws Refusal 401 about the credential.
 */
export async function presented(ctx: Ctx, bearer: Bearer | null): Promise<Presented> {
  if (bearer === null) return NOTHING
  if (bearer.kind === 'instance_token') return { kind: 'instance_token', hash: tokenHash(ctx, bearer.text) }
  if (bearer.kind === 'jwt') return { kind: 'jwt', jwt: await presentedJwt(ctx, bearer.text, 'unexpired') }
  throw new Refusal('credential_unknown', 'This needs an instance token or a license JWT.', {
    fix: 'Send the instance token (lit_…) or the license JWT of this instance.',
  })
}

/** What is stored in place of the token. @throws Refusal `instance_token_unknown` for a text that is none. */
export function tokenHash(ctx: Pick<Ctx, 'pepper'>, text: string): string {
  if (!wellFormed('instance_token', text)) throw unknownToken()
  return hashCredential(ctx, 'instance_token', text)
}
