// Activate and validate: an instance takes, or confirms, its seat of a license.
import type { ActivateRequest, LicenseKeyRequest, SeatAnswer } from '../../contract/instance-api.ts'
import { sha256Hex } from '../../platform/hash.ts'
import { instanceKey } from '../../platform/ids.ts'
import type { InstanceFacts } from '../fleet/touch-instance.ts'
import type { Bearer } from '../kernel/bearer.ts'
import type { Ctx } from '../kernel/context.ts'
import type { Pipeline } from './flow/pipeline.ts'
import type { Decided, Turn, View } from './flow/turn.ts'
import { signingOf } from './grants/signing.ts'
import { type FoundLicenseKey, findLicenseKey, licenseKeyUnknown } from './proof/find-license-key.ts'
import { type Presented, presented } from './proof/presented.ts'
import { proofNeeds } from './proof/proof-needs.ts'
import { proveReporter } from './proof/prove-reporter.ts'
import { answerSeat } from './sessions/answer-seat.ts'
import { openSession } from './sessions/open-session.ts'
import type { SessionRequest } from './sessions/session.ts'

/** The license key alone serves a first activation, or a new token for the instance that it proved (T9). */
type Wish =
  | { granted: 'active'; mode: 'claim'; keyAlone: true }
  | { granted: 'valid'; mode: 'retake'; keyAlone: false }

const ACTIVATE: Wish = { granted: 'active', mode: 'claim', keyAlone: true }
/** A validate by an instance without a seat re-takes a free one, unless an admin ended its own. */
const VALIDATE: Wish = { granted: 'valid', mode: 'retake', keyAlone: false }

/** @throws Refusal 400 and 404 about the key, 401 about the credential, 409 about the instance id. */
export async function activate(
  ctx: Ctx,
  pipeline: Pipeline,
  bearer: Bearer | null,
  body: ActivateRequest,
): Promise<SeatAnswer> {
  const facts = { hostname: body.hostname, version: body.server_version, fingerprint: body.fingerprint }
  return submit(ctx, pipeline, bearer, body, facts, ACTIVATE)
}

/** @throws Refusal as `activate`. */
export async function validate(
  ctx: Ctx,
  pipeline: Pipeline,
  bearer: Bearer | null,
  body: LicenseKeyRequest,
): Promise<SeatAnswer> {
  return submit(ctx, pipeline, bearer, body, {}, VALIDATE)
}

async function submit(
  ctx: Ctx,
  pipeline: Pipeline,
  bearer: Bearer | null,
  body: LicenseKeyRequest,
  facts: InstanceFacts,
  wish: Wish,
): Promise<SeatAnswer> {
  const proof = await presented(ctx, bearer)
  const key = await findLicenseKey(ctx, body.product, body.license_key)
  return pipeline.submit(seatTurn(ctx, proof, key, body, facts, wish))
}

function seatTurn(
  ctx: Ctx,
  proof: Presented,
  key: FoundLicenseKey,
  body: LicenseKeyRequest,
  facts: InstanceFacts,
  wish: Wish,
): Turn<SeatAnswer> {
  const { product: productCode, instance_id: instanceId } = body
  const subject = { productCode, instanceId, key: instanceKey(productCode, instanceId) }
  const { credentials, namesSeat } = proofNeeds(proof)
  const request: Omit<SessionRequest, 'boundJwt'> = {
    subject,
    licenseId: key.licenseId,
    credential: { source: 'license_key', id: key.id },
    begins: true,
    facts,
    seat: { kind: wish.mode },
    tokenHash: proof.kind === 'instance_token' ? proof.hash : undefined,
    tokenWish: proof.kind === 'none' ? 'wanted' : 'keep',
    chain: body,
  }
  return {
    ctx,
    subject,
    weight: { signatures: body.nonce === undefined ? 2 : 3, reports: 0, bytes: 2_000 },
    bootIds: [],
    licenseId: key.licenseId,
    // An activate mostly takes a seat, a validate mostly holds one.
    changesSeat: wish.mode === 'claim',
    mayCreate: true,
    credentials: [request.credential, ...credentials],
    staticJwtId: null,
    namesSeat,
    decide: (view) => decide(view, proof, request, wish, body.nonce),
  }
}

function decide(
  view: View,
  presented: Presented,
  request: Omit<SessionRequest, 'boundJwt'>,
  { granted, keyAlone }: Wish,
  nonce: string | undefined,
): Decided<SeatAnswer> {
  const { proof, accepted } =
    presented.kind === 'none' && keyAlone
      ? { proof: 'none', accepted: false }
      : proveReporter(view, presented, request.subject)
  const license = view.facts.license(request.licenseId)
  if (!license || !view.facts.credential(request.credential)) throw licenseKeyUnknown()
  const opened = openSession(view, license, { ...request, boundJwt: proof === 'license' })
  if (opened.kind === 'needs_license') return { needsLicense: license.id }
  const { session, effects } = opened
  const answer = answerSeat(signingOf(view), session, granted, nonce)
  const { entitlement_token: token } = answer
  if (token === undefined) return { answer, effects, accepted }
  const instance = { ...session.instance, entitlementHash: sha256Hex(token) }
  return { answer, effects: { ...effects, instance }, accepted }
}
