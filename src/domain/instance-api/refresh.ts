// Refresh: a license JWT for the next one, within grace; picks up what changed and counts as a sign of life (T5, T6, T8).
import type { RefreshRequest, TokenAnswer } from '../../contract/instance-api.ts'
import { instanceKey } from '../../platform/ids.ts'
import type { Bearer } from '../kernel/bearer.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import type { CredentialName } from '../kernel/reference.ts'
import { credentialNamed } from '../rights/credential-name.ts'
import type { Pipeline } from './flow/pipeline.ts'
import type { Decided, Effects, Turn, View } from './flow/turn.ts'
import { signingOf } from './grants/signing.ts'
import { tokenHash } from './proof/presented.ts'
import { refuseRevokedKey } from './proof/prove-reporter.ts'
import { type PresentedJwt, presentedJwt } from './proof/verify-license-jwt.ts'
import { numbersOf } from './reports/metric-numbers.ts'
import { NO_BOOT, NO_BOOT_UNPROVEN, type Report } from './reports/report.ts'
import { takeReports } from './reports/take-reports.ts'
import { answerSession, unsignedRefusal } from './sessions/answer-session.ts'
import { openSession } from './sessions/open-session.ts'
import type { Session, SessionDenial, SessionRequest } from './sessions/session.ts'

/** @throws Refusal 401 about the token or session, 403 about the license, the instance or a mismatch, 409. */
export async function refresh(
  ctx: Ctx,
  pipeline: Pipeline,
  bearer: Bearer,
  body: RefreshRequest,
): Promise<TokenAnswer> {
  if (bearer.kind !== 'jwt') {
    throw new Refusal('license_jwt_invalid', 'This needs a license JWT.', { fix: 'Send the license JWT.' })
  }
  const jwt = await presentedJwt(ctx, bearer.text, 'within_grace')
  refuseMismatch(jwt, body)
  const credential = credentialNamed(jwt.claims.cred)
  if (!credential) throw unknownLicense()
  return pipeline.submit(refreshTurn(ctx, jwt, credential, body))
}

export function refreshTurn(
  ctx: Ctx,
  jwt: PresentedJwt,
  credential: CredentialName,
  body: RefreshRequest,
): Turn<TokenAnswer> {
  const productCode = jwt.claims.aud
  const { instance_id: instanceId, boot_id, seq } = body
  const request: SessionRequest = {
    subject: { productCode, instanceId, key: instanceKey(productCode, instanceId) },
    licenseId: jwt.licenseId,
    credential,
    begins: false,
    facts: { version: body.version },
    seat: jwt.seatId === null ? { kind: 'retake' } : { kind: 'keep', seatId: jwt.seatId },
    tokenHash: body.instance_token === undefined ? undefined : tokenHash(ctx, body.instance_token),
    boundJwt: false,
    tokenWish: 'keep',
    chain: body,
    secondProof: jwt.expired,
  }
  const numbered = boot_id !== undefined && seq !== undefined
  return {
    ctx,
    subject: request.subject,
    weight: {
      signatures: body.nonce === undefined ? 1 : 2,
      reports: 1,
      bytes: 1_500 + 40 * Object.keys(body.telemetry ?? {}).length,
    },
    bootIds: numbered ? [boot_id.toLowerCase()] : [NO_BOOT, NO_BOOT_UNPROVEN],
    licenseId: jwt.licenseId,
    changesSeat: false,
    mayCreate: true,
    credentials: [credential],
    staticJwtId: credential.source === 'static_jwt' ? credential.id : null,
    namesSeat: true,
    decide: (view) => decide(view, jwt, request, body),
  }
}

function decide(
  view: View,
  jwt: PresentedJwt,
  request: SessionRequest,
  body: RefreshRequest,
): Decided<TokenAnswer> {
  const { facts } = view
  refuseRevokedKey(facts, jwt.kid)
  const license = facts.license(jwt.licenseId)
  if (!license || license.productCode !== jwt.claims.aud) throw unknownLicense()
  // A credential that is not on record counts as good: the database was restored from before it (T12).
  if (facts.credential(request.credential)?.refreshable === false) throw notRefreshable()
  const opened = openSession(view, license, request)
  if (opened.kind === 'needs_license') return { needsLicense: license.id }
  const { session, effects } = opened
  // A session that was ended proves nothing: what it says is not kept (T8).
  if (!session.granted && session.reason === 'seat_ended') throw unsignedRefusal(session)
  const binds = session.granted ? bindingOf(view, request) : {}
  const answer = answerSession(signingOf(view), session, body.nonce)
  if (!session.granted && session.forgotten) return { answer, effects, accepted: true }
  return {
    answer,
    effects: { ...withReport(view, session, effects, request, body), ...binds },
    accepted: true,
  }
}

/** The report is judged with the session's own instance: both are one change of it. */
function withReport(
  view: View,
  session: Session | SessionDenial,
  effects: Effects,
  { subject }: SessionRequest,
  body: RefreshRequest,
): Effects {
  const product = view.facts.productByCode(subject.productCode)
  if (!product) return effects
  const seats = effects.seat ? new Map(view.seats).set(effects.seat.licenseId, effects.seat) : view.seats
  const after = { ...view, instance: session.instance, seats }
  const { effects: reported } = takeReports(after, subject, product, [reportOf(body, session)])
  return {
    ...effects,
    ...reported,
    findings: [...(effects.findings ?? []), ...(reported.findings ?? [])],
  }
}

function reportOf(body: RefreshRequest, { proof, license }: Session | SessionDenial): Report {
  return {
    kind: 'refresh',
    proof,
    product: license.productCode,
    instanceId: body.instance_id,
    version: body.version,
    metrics: numbersOf({ ...body.telemetry, uptime_hours: body.uptime_hours }),
    ack: body.ack,
    bootId: body.boot_id,
    seq: body.seq,
    observedAt: body.observed_at,
  }
}

/**
 * A static JWT is, or becomes, the instance's that refreshes it. It passes on only when the instance that it was bound
 * to holds no seat any more. One that is not on record passes: the database was restored from before it (T12).
 */
function bindingOf({ staticJwt }: View, { credential, subject }: SessionRequest): Effects {
  if (credential.source !== 'static_jwt' || staticJwt === null) return {}
  const { boundInstanceKey: bound, boundIsLive } = staticJwt
  if (bound === subject.key) return {}
  if (bound !== null && boundIsLive) throw boundElsewhere()
  return { bindsStaticJwt: credential.id }
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
