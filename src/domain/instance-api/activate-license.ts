// Activate and validate: an instance takes, or confirms, its seat of a license.
import type { Proof } from '../../contract/catalog.ts'
import type { ActivateRequest, LicenseKeyRequest, SeatAnswer } from '../../contract/instance-api.ts'
import { transaction } from '../../db/transaction.ts'
import type { InstanceFacts } from '../fleet/touch-instance.ts'
import type { Bearer } from '../kernel/bearer.ts'
import type { Ctx } from '../kernel/context.ts'
import { answerSeat } from './answer-seat.ts'
import { openSession } from './open-session.ts'
import { findLicenseKey } from './proof/find-license-key.ts'
import { proveReporter } from './proof/prove-reporter.ts'
import type { Session, SessionDenial } from './session.ts'

/** @throws Refusal 400 and 404 about the key, 401 about the credential, 409 about the instance id. */
export async function activateLicense(
  ctx: Ctx,
  bearer: Bearer | null,
  body: ActivateRequest,
): Promise<SeatAnswer> {
  const facts = {
    hostname: body.hostname,
    version: body.server_version,
    fingerprint: body.fingerprint,
  }
  // The license key alone serves a first activation, or a new token for the instance that it proved (T9).
  const proof = bearer === null ? 'none' : await proveReporter(ctx, bearer, reporterOf(body))
  const session = await openByKey(ctx, { bearer, proof }, body, facts, 'claim')
  return answerSeat(ctx, session, 'active', body.nonce)
}

/** A validate by an instance without a seat re-takes a free one, unless an admin ended its own. */
export async function validateLicense(
  ctx: Ctx,
  bearer: Bearer | null,
  body: LicenseKeyRequest,
): Promise<SeatAnswer> {
  const proof = await proveReporter(ctx, bearer, reporterOf(body))
  const session = await openByKey(ctx, { bearer, proof }, body, {}, 'retake')
  return answerSeat(ctx, session, 'valid', body.nonce)
}

const reporterOf = (body: LicenseKeyRequest) => ({ productCode: body.product, instanceId: body.instance_id })

async function openByKey(
  ctx: Ctx,
  { bearer, proof }: { bearer: Bearer | null; proof: Proof },
  body: LicenseKeyRequest,
  facts: InstanceFacts,
  mode: 'claim' | 'retake',
): Promise<Session | SessionDenial> {
  const key = await findLicenseKey(ctx, body.product, body.license_key)
  const instanceToken = bearer?.kind === 'instance_token' ? bearer.text : undefined
  return transaction(ctx.db, (tx) =>
    openSession(tx, ctx, {
      license: key.license,
      credential: { source: 'license_key', id: key.id },
      begins: true,
      instanceId: body.instance_id,
      facts,
      seat: { kind: mode },
      instanceToken,
      boundJwt: proof === 'license',
      tokenWish: bearer === null ? 'wanted' : 'keep',
      chain: body,
    }),
  )
}
