// Refresh: a license JWT for the next one, within grace; picks up what changed and counts as a sign of life (T5, T6, T8).
import type { RefreshRequest, TokenAnswer } from '../../contract/instance-api.ts'
import { transaction } from '../../db/transaction.ts'
import type { Bearer } from '../kernel/bearer.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import { findLicense } from '../rights/license-facts.ts'
import { answerSession, unsignedRefusal } from './answer-session.ts'
import { bindStaticJwt } from './bind-static-jwt.ts'
import { openSession } from './open-session.ts'
import { credentialNamed, readCredential } from './proof/find-session-credential.ts'
import { type PresentedJwt, presentedJwt } from './proof/verify-license-jwt.ts'
import { numbersOf } from './reports/metric-numbers.ts'
import { recordReports } from './reports/record-reports.ts'

/** @throws Refusal 401 about the token or session, 403 about the license, the instance or a mismatch, 409. */
export async function refreshLicenseJwt(
  ctx: Ctx,
  bearer: Bearer,
  body: RefreshRequest,
): Promise<TokenAnswer> {
  if (bearer.kind !== 'jwt') {
    throw new Refusal('license_jwt_invalid', 'This needs a license JWT.', { fix: 'Send the license JWT.' })
  }
  const jwt = await presentedJwt(ctx, bearer.text, 'within_grace')
  refuseMismatch(jwt, body)
  const session = await transaction(ctx.db, async (tx) => {
    const license = await findLicense(tx, jwt.licenseId)
    if (!license || license.productCode !== jwt.claims.aud) throw unknownLicense()
    const named = credentialNamed(jwt.claims.cred)
    if (!named) throw unknownLicense()
    const credential = await readCredential(tx, named)
    if (!credential.refreshable) throw notRefreshable()
    const opened = await openSession(tx, ctx, {
      license,
      credential: named,
      begins: false,
      instanceId: body.instance_id,
      facts: { version: body.version },
      seat: jwt.seatId === null ? { kind: 'retake' } : { kind: 'keep', seatId: jwt.seatId },
      instanceToken: body.instance_token,
      boundJwt: false,
      tokenWish: 'keep',
      chain: body,
      secondProof: jwt.expired,
    })
    // A session that was ended proves nothing: what it says is not kept (T8).
    if (!opened.granted && opened.reason === 'seat_ended') throw unsignedRefusal(opened)
    if (opened.granted && named.source === 'static_jwt') {
      const bound = await bindStaticJwt(
        tx,
        named.id,
        license.id,
        opened.instance.instanceKey,
        ctx.clock.now(),
      )
      if (!bound) throw boundElsewhere()
    }
    return opened
  })
  ctx.credentialAccepted?.()
  if (!session.granted && session.forgotten) return answerSession(ctx, session, body.nonce)
  await recordReports(ctx, [
    {
      kind: 'refresh',
      proof: session.proof,
      product: jwt.claims.aud,
      instanceId: body.instance_id,
      version: body.version,
      metrics: numbersOf({ ...body.telemetry, uptime_hours: body.uptime_hours }),
      ack: body.ack,
      bootId: body.boot_id,
      seq: body.seq,
      observedAt: body.observed_at,
    },
  ])
  return answerSession(ctx, session, body.nonce)
}

function refuseMismatch({ claims }: PresentedJwt, body: RefreshRequest): void {
  if (body.license_id !== undefined && body.license_id !== claims.license_id) {
    throw new Refusal('license_mismatch', 'license_id is not the one of the license JWT.', {
      fix: 'Send the license_id of the token, or leave it out.',
    })
  }
  if (claims.instance_id !== undefined && body.instance_id !== claims.instance_id) {
    throw new Refusal('instance_mismatch', 'instance_id is not the one of the license JWT.', {
      fix: 'Refresh with the instance that the token was issued to.',
    })
  }
}

const unknownLicense = () =>
  new Refusal('license_jwt_invalid', 'The license of this token is not known here.', {
    fix: 'Exchange the API key or activate the license key again.',
  })

const notRefreshable = () =>
  new Refusal('refresh_not_allowed', 'This license JWT was issued without refresh.', {
    fix: 'Use it until it expires, or ask your vendor for a refreshable one.',
  })

const boundElsewhere = () =>
  new Refusal('instance_mismatch', 'This license JWT is bound to another instance.', {
    facts: { reason: 'bound_elsewhere' },
    fix: 'Deactivate that instance first, or ask your vendor for a token of your own.',
  })
