// Which instance a credential speaks for: the one that a license JWT names, or the one that a token was given to (T8).
import { eq } from 'drizzle-orm'
import type { Proof } from '../../../contract/catalog.ts'
import { instances, products } from '../../../db/schema/index.ts'
import { wellFormed } from '../../../platform/credentials.ts'
import type { Bearer } from '../../kernel/bearer.ts'
import { type Ctx, Refusal } from '../../kernel/context.ts'
import { hashCredential } from '../../kernel/credential-hash.ts'
import { unknownToken } from './prove-instance.ts'
import { proveReporter, type Reporter } from './prove-reporter.ts'
import { presentedJwt } from './verify-license-jwt.ts'

/** The one instance that this credential speaks for. @throws Refusal 401, 403 about the credential. */
export async function reporterOf(ctx: Ctx, bearer: Bearer): Promise<{ reporter: Reporter; proof: Proof }> {
  if (bearer.kind === 'jwt') {
    const { claims } = await presentedJwt(ctx, bearer.text, 'unexpired')
    if (claims.instance_id === undefined) throw unbound()
    const reporter = { productCode: claims.aud, instanceId: claims.instance_id }
    return { reporter, proof: await proveReporter(ctx, bearer, reporter) }
  }
  if (bearer.kind !== 'instance_token') {
    throw new Refusal('credential_unknown', 'This needs an instance token or a license JWT.', {
      fix: 'Send the instance token (lit_…) or the license JWT of this instance.',
    })
  }
  if (!wellFormed('instance_token', bearer.text)) throw unknownToken()
  const [found] = await ctx.db
    .select({
      productCode: products.code,
      instanceId: instances.instanceId,
      provenLicenseId: instances.provenLicenseId,
    })
    .from(instances)
    .innerJoin(products, eq(products.id, instances.productId))
    .where(eq(instances.tokenHash, hashCredential(ctx, 'instance_token', bearer.text)))
  if (!found) throw unknownToken()
  const { provenLicenseId, ...reporter } = found
  if (provenLicenseId !== null) ctx.credentialAccepted?.()
  return { reporter, proof: 'instance' }
}

const unbound = () =>
  new Refusal('license_jwt_invalid', 'This license JWT names no instance.', {
    fix: 'Refresh it once: the JWT that you get names this instance.',
  })
