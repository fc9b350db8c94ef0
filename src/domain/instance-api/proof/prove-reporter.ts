// Who sends a report: held against the instance's row before anything is recorded (T8, T11).
import { and, eq } from 'drizzle-orm'
import type { InstanceAuth, Proof } from '../../../contract/catalog.ts'
import { activations, instances, products } from '../../../db/schema/index.ts'
import { wellFormed } from '../../../platform/credentials.ts'
import { instanceKey } from '../../../platform/ids.ts'
import type { Bearer } from '../../kernel/bearer.ts'
import { type Ctx, Refusal } from '../../kernel/context.ts'
import { hashCredential } from '../../kernel/credential-hash.ts'
import { isForgotten } from '../../rights/claim-seat.ts'
import { credentialNamed, readCredential } from './find-session-credential.ts'
import { unknownToken } from './prove-instance.ts'
import { presentedJwt } from './verify-license-jwt.ts'

export interface Reporter {
  productCode: string
  instanceId: string
}

/**
 * How a request about this instance is proven. A credential that is present but wrong is refused everywhere (T8);
 * none at all is refused where the product asks for one.
 * @throws Refusal 401 about the credential, 404 `product_unknown`, 403 when the JWT is another instance's.
 */
export async function proveReporter(ctx: Ctx, bearer: Bearer | null, reporter: Reporter): Promise<Proof> {
  if (bearer === null) {
    if ((await instanceAuthOf(ctx, reporter.productCode)) === 'open') return 'none'
    throw new Refusal('instance_token_required', 'Instances of this product must prove who they are.', {
      fix: 'Send the instance token as Authorization: Bearer, or an unexpired license JWT of this instance.',
    })
  }
  switch (bearer.kind) {
    case 'instance_token': {
      if (!wellFormed('instance_token', bearer.text)) throw unknownToken()
      // Both in one condition: a known instance and an unknown one take the same time.
      const [row] = await ctx.db
        .select({ provenLicenseId: instances.provenLicenseId })
        .from(instances)
        .where(
          and(
            eq(instances.instanceKey, instanceKey(reporter.productCode, reporter.instanceId)),
            eq(instances.tokenHash, hashCredential(ctx, 'instance_token', bearer.text)),
          ),
        )
      if (!row) throw unknownToken()
      if (row.provenLicenseId !== null) ctx.credentialAccepted?.()
      return 'instance'
    }
    case 'jwt':
      return proveByJwt(ctx, bearer.text, reporter)
    case 'api_key':
    case 'relay_key':
    case 'admin_key':
    case 'enrolment_code':
      throw new Refusal('credential_unknown', 'This needs an instance token or a license JWT.', {
        fix: 'Send the instance token (lit_…) or the license JWT of this instance.',
      })
  }
}

/**
 * The JWT must be unexpired, bound to this very instance, its seat still held and its credential not ended. Where
 * instances are open, the license of anybody may hold a seat under this id: it proves nothing unless it is the one
 * that proved the instance (T9).
 */
async function proveByJwt(ctx: Ctx, token: string, reporter: Reporter): Promise<Proof> {
  const { claims, licenseId, seatId } = await presentedJwt(ctx, token, 'unexpired')
  if (claims.aud !== reporter.productCode || claims.instance_id !== reporter.instanceId) {
    throw new Refusal('instance_mismatch', 'The license JWT was issued to another instance.', {
      fix: 'Send the license JWT of this instance and product.',
    })
  }
  const key = instanceKey(reporter.productCode, reporter.instanceId)
  const [seat] = await ctx.db
    .select({ id: activations.id, endedAt: activations.endedAt })
    .from(activations)
    .where(and(eq(activations.instanceKey, key), eq(activations.licenseId, licenseId)))
  const named = credentialNamed(claims.cred)
  const credential = named && (await readCredential(ctx.db, named))
  // A seat that is not on record belongs to a database restored from before it: the signed word counts (T12).
  const known = seat !== undefined && seatId !== null && seatId <= seat.id
  const seatEnded = known && (seat.endedAt !== null || seat.id !== seatId)
  const forgotten = !seat && seatId !== null && (await isForgotten(ctx.db, key, licenseId, seatId))
  if (seatEnded || forgotten || credential?.ended) {
    throw new Refusal('session_ended', 'The session of this license JWT was ended.', {
      fix: 'Activate again, or exchange the API key again.',
    })
  }
  ctx.credentialAccepted?.()
  const [instance] = await ctx.db
    .select({ provenLicenseId: instances.provenLicenseId, instanceAuth: products.instanceAuth })
    .from(instances)
    .innerJoin(products, eq(products.id, instances.productId))
    .where(eq(instances.instanceKey, key))
  const foreign = instance?.provenLicenseId != null && instance.provenLicenseId !== licenseId
  return foreign && instance.instanceAuth === 'open' ? 'none' : 'license'
}

export async function instanceAuthOf(ctx: Ctx, productCode: string): Promise<InstanceAuth> {
  const [product] = await ctx.db
    .select({ instanceAuth: products.instanceAuth })
    .from(products)
    .where(eq(products.code, productCode))
  if (!product) throw unknownProduct()
  return product.instanceAuth
}

export const unknownProduct = () =>
  new Refusal('product_unknown', 'This product is not known here.', {
    fix: 'Check the product code and the server address.',
  })
