// Deactivate: an instance gives its seat back. Repeating it changes nothing.
import type { Proof } from '../../contract/catalog.ts'
import type { DeactivateAnswer, LicenseKeyRequest } from '../../contract/instance-api.ts'
import { instanceKey } from '../../platform/ids.ts'
import type { InstanceRow } from '../fleet/touch-instance.ts'
import type { Bearer } from '../kernel/bearer.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import type { LicenseFacts } from '../kernel/reference.ts'
import { isLive } from '../rights/seat.ts'
import type { Seat } from '../rights/take-seat.ts'
import type { Pipeline } from './flow/pipeline.ts'
import { type Decided, type Effects, NO_EFFECTS, type Turn, type View } from './flow/turn.ts'
import { signDirective, standingDirective } from './grants/directive.ts'
import { signingOf } from './grants/signing.ts'
import { type FoundLicenseKey, findLicenseKey, licenseKeyUnknown } from './proof/find-license-key.ts'
import { type Presented, presented } from './proof/presented.ts'
import { proofNeeds } from './proof/proof-needs.ts'
import { proveReporter } from './proof/prove-reporter.ts'
import { bestStanding, heldLicenses, seated } from './reports/held-licenses.ts'

/** @throws Refusal 400 and 404 about the key, 401 about the credential. */
export async function deactivate(
  ctx: Ctx,
  pipeline: Pipeline,
  bearer: Bearer | null,
  body: LicenseKeyRequest,
): Promise<DeactivateAnswer> {
  const proof = await presented(ctx, bearer)
  const key = await findLicenseKey(ctx, body.product, body.license_key)
  return pipeline.submit(deactivateTurn(ctx, proof, key, body))
}

export function deactivateTurn(
  ctx: Ctx,
  proof: Presented,
  key: FoundLicenseKey,
  body: LicenseKeyRequest,
): Turn<DeactivateAnswer> {
  const { product: productCode, instance_id: instanceId } = body
  const subject = { productCode, instanceId, key: instanceKey(productCode, instanceId) }
  const credential = { source: 'license_key', id: key.id } as const
  const { credentials, namesSeat } = proofNeeds(proof)
  return {
    ctx,
    subject,
    weight: { signatures: body.nonce === undefined ? 0 : 1, reports: 0, bytes: 1_000 },
    bootIds: [],
    licenseId: key.licenseId,
    changesSeat: true,
    mayCreate: false,
    credentials: [credential, ...credentials],
    staticJwtId: null,
    namesSeat,
    decide(view) {
      const { proof: proven, accepted } = proveReporter(view, proof, subject)
      const known = view.facts.credential(credential)
      const license = view.facts.license(key.licenseId)
      if (!known || !license) throw licenseKeyUnknown()
      if (known.revokedAt !== null && proven === 'none') throw keyRevoked()
      return { ...decide(view, proven, license, body), accepted }
    },
  }
}

function decide(
  view: View,
  proof: Proof,
  license: LicenseFacts,
  body: LicenseKeyRequest,
): Extract<Decided<DeactivateAnswer>, { answer: unknown }> {
  const { instance } = view
  if (!instance) return { answer: { status: 'deactivated' }, effects: NO_EFFECTS }
  // A killed instance keeps its seat (T10).
  if (instance.action === 'kill') {
    const answer = { status: 'deactivated', reason: 'instance_killed' } as const
    return { answer: { ...answer, ...told(view, instance, [license], body) }, effects: NO_EFFECTS }
  }
  const { effects, left } = given(view, instance, proof, license)
  return { answer: { status: 'deactivated', ...told(view, instance, left, body) }, effects }
}

/** The seat that is given up, and the licenses that the instance still holds. */
function given(
  { seats, facts, now }: View,
  instance: InstanceRow,
  proof: Proof,
  license: LicenseFacts,
): { effects: Effects; left: LicenseFacts[] } {
  const own = seats.get(license.id)
  const after = new Map(seats)
  const ended: Seat | null =
    own && own.endedAt === null ? { ...own, endedAt: now, endedBy: 'instance' } : null
  if (ended) after.set(license.id, ended)
  const left = seated(heldLicenses(facts, after.values(), now)).map((held) => held.license)
  const wasLive = own !== undefined && isLive(own, now)
  // Who gave up the last seat with a proof of identity is free to pass the id on (T9).
  const released = proof === 'none' ? {} : { provenLicenseId: null }
  return {
    left,
    effects: {
      ...(ended ? { seat: ended } : {}),
      ...(wasLive ? { capacity: { taken: -1, fresh: 0, leaseEndsAt: null } } : {}),
      ...(left.length === 0 ? { instance: { ...instance, deactivatedAt: now, ...released } } : {}),
    },
  }
}

function told(
  view: View,
  instance: InstanceRow,
  licenses: readonly LicenseFacts[],
  { product, nonce }: LicenseKeyRequest,
): Pick<DeactivateAnswer, 'directive'> {
  if (nonce === undefined) return {}
  const licensed = bestStanding(licenses, view.settings.tokenLife, view.now)
  const subject = standingDirective(product, instance, licensed, view)
  const directive = signDirective(signingOf(view), subject, nonce)
  return directive === undefined ? {} : { directive }
}

const keyRevoked = () =>
  new Refusal('license_key_revoked', 'This license key was revoked: it ends no seat.', {
    fix: 'Send the instance token with it, or the license key that replaces it.',
  })
