// Register: makes an instance known and, where its caller may have one, hands out an instance token (T9).
import { eq } from 'drizzle-orm'
import type { Proof } from '../../contract/catalog.ts'
import type { RegisterAnswer, RegisterRequest } from '../../contract/instance-api.ts'
import { instances, products } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { mintCredential } from '../../platform/credentials.ts'
import { type InstanceRow, touchInstance } from '../fleet/touch-instance.ts'
import type { Bearer } from '../kernel/bearer.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import { hashCredential } from '../kernel/credential-hash.ts'
import { bestStanding } from '../rights/best-standing.ts'
import { standingOf } from '../rights/license-standing.ts'
import { signDirective, standingDirective } from './grants/directive.ts'
import { findApiKey } from './proof/find-api-key.ts'
import { judgeIdentity } from './proof/identity.ts'
import { instanceIdTaken } from './proof/prove-instance.ts'
import { proveReporter, unknownProduct } from './proof/prove-reporter.ts'
import { presentedJwt } from './proof/verify-license-jwt.ts'
import { readHeldLicenses } from './reports/batch-facts.ts'
import { numbersOf } from './reports/metric-numbers.ts'

interface LicenseProof {
  proof: Proof
  licenseId: string | null
  /** Whether the license behind it grants anything. One that does not proves no further instance. */
  inForce: boolean
}

/**
 * Upserts the instance. A proof of license (API key or its license JWT) or a token that was never presented lets the
 * caller have a new token. @throws Refusal 401 about the credential, 404 `product_unknown`, 409 `instance_id_taken`.
 */
export async function registerInstance(
  ctx: Ctx,
  bearer: Bearer | null,
  body: RegisterRequest,
): Promise<RegisterAnswer> {
  const given = await proofOf(ctx, bearer, body)
  const claimed = given.inForce ? given.proof : 'none'
  const now = ctx.clock.now()
  const { instance, instanceToken, held } = await transaction(ctx.db, async (tx) => {
    const [product] = await tx.select().from(products).where(eq(products.code, body.product))
    if (!product) throw unknownProduct()
    const { row, created } = await touchInstance(
      tx,
      { productId: product.id, productCode: product.code, instanceId: body.instance_id },
      {
        hostname: body.hostname,
        version: body.server_version,
        os: body.os,
        arch: body.arch,
        fingerprint: body.fingerprint,
        reportedTier: body.tier,
      },
      claimed,
      now,
    )
    if (created && claimed === 'none') await ctx.newcomers?.admit(tx, ctx, [product.id])
    const seats = (await readHeldLicenses(tx, [row.instanceKey], now)).filter((seat) => seat.endedAt === null)
    const verdict = judgeIdentity(
      created
        ? null
        : {
            hasToken: row.tokenHash !== null,
            tokenPresented: row.tokenPresentedAt !== null,
            provenLicenseId: row.provenLicenseId,
            seatLicenseIds: seats.map((seat) => seat.licenseId),
          },
      { instance: given.proof === 'instance', licenseId: given.licenseId },
      { auth: product.instanceAuth, token: 'wanted' },
    )
    if (!verdict.ok) throw instanceIdTaken()
    const token = verdict.issueToken ? mintCredential('instance_token', ctx.random).secret : undefined
    const changes = {
      ...(token === undefined
        ? {}
        : { tokenHash: hashCredential(ctx, 'instance_token', token), tokenPresentedAt: null }),
      ...(given.proof === 'instance' && row.tokenPresentedAt === null ? { tokenPresentedAt: now } : {}),
      ...provenBy(given, row, verdict.issueToken),
      ...(body.metrics === undefined ? {} : { metrics: numbersOf(body.metrics) }),
    }
    if (Object.keys(changes).length > 0) {
      await tx.update(instances).set(changes).where(eq(instances.instanceKey, row.instanceKey))
    }
    return { instance: row, instanceToken: token, held: seats.map((seat) => seat.licenseId) }
  })
  const licensed = body.nonce === undefined ? null : await bestStanding(ctx, held)
  const directive = await signDirective(
    ctx,
    standingDirective(body.product, instance, licensed, now),
    body.nonce,
  )
  return {
    status: 'registered',
    ...(instanceToken === undefined ? {} : { instance_token: instanceToken }),
    ...(directive === undefined ? {} : { directive }),
  }
}

/** What the row remembers of the license: one in force may prove it, one that is not has at most done so before. */
function provenBy(
  { licenseId, inForce }: LicenseProof,
  row: InstanceRow,
  issueToken: boolean,
): Partial<Pick<InstanceRow, 'provenLicenseId' | 'proof'>> {
  if (licenseId === null) return {}
  if (inForce) return issueToken ? { provenLicenseId: licenseId } : {}
  return row.provenLicenseId === licenseId ? { proof: 'license' } : {}
}

async function proofOf(ctx: Ctx, bearer: Bearer | null, body: RegisterRequest): Promise<LicenseProof> {
  if (bearer === null) return { proof: 'none', licenseId: null, inForce: true }
  if (bearer.kind === 'api_key') {
    const { license } = await findApiKey(ctx.db, ctx, bearer.text)
    if (license.productCode !== body.product) {
      throw new Refusal('product_mismatch', 'The API key belongs to another product.', {
        fix: 'Register with the product that the API key was issued for.',
      })
    }
    const { inForce } = standingOf(license, ctx.settings.tokenLife, ctx.clock.now())
    return { proof: 'license', licenseId: license.id, inForce }
  }
  const reporter = { productCode: body.product, instanceId: body.instance_id }
  const proof = await proveReporter(ctx, bearer, reporter)
  if (proof !== 'license') return { proof, licenseId: null, inForce: true }
  // Made for this very instance, when its license was in force.
  return { proof, licenseId: (await presentedJwt(ctx, bearer.text, 'unexpired')).licenseId, inForce: true }
}
