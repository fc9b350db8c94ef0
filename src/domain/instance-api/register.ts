// Register: makes an instance known and, where its caller may have one, hands out an instance token (T9).
import type { Proof } from '../../contract/catalog.ts'
import type { RegisterAnswer, RegisterRequest } from '../../contract/instance-api.ts'
import { mintCredential } from '../../platform/credentials.ts'
import { instanceKey } from '../../platform/ids.ts'
import { newInstance } from '../fleet/new-instance.ts'
import type { InstanceRow } from '../fleet/touch-instance.ts'
import { touched } from '../fleet/touched-instance.ts'
import type { Bearer } from '../kernel/bearer.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import { hashCredential } from '../kernel/credential-hash.ts'
import { standingOf } from '../rights/license-standing.ts'
import { isLive } from '../rights/seat.ts'
import type { Pipeline } from './flow/pipeline.ts'
import type { Decided, Subject, Turn, View } from './flow/turn.ts'
import { signDirective, standingDirective } from './grants/directive.ts'
import { signingOf } from './grants/signing.ts'
import { type FoundApiKey, findApiKey, refuseEndedApiKey } from './proof/find-api-key.ts'
import { judgeIdentity } from './proof/identity.ts'
import { type Presented, presented } from './proof/presented.ts'
import { proofNeeds } from './proof/proof-needs.ts'
import { proveReporter } from './proof/prove-reporter.ts'
import { apiKeyUnknown, instanceIdTaken, unknownProduct } from './proof/refusals.ts'
import { bestStanding, heldLicenses, seated } from './reports/held-licenses.ts'
import { numbersOf } from './reports/metric-numbers.ts'

type Given = { kind: 'api_key'; key: FoundApiKey } | Presented

/** What the request proves of a license. */
interface LicenseProof {
  proof: Proof
  licenseId: string | null
  /** Whether the license behind it grants anything. One that does not proves no further instance. */
  inForce: boolean
  accepted: boolean
}

/**
 * Upserts the instance. A proof of license (API key or its license JWT) or a token that was never presented lets the
 * caller have a new token. @throws Refusal 401 about the credential, 404 `product_unknown`, 409 `instance_id_taken`.
 */
export async function register(
  ctx: Ctx,
  pipeline: Pipeline,
  bearer: Bearer | null,
  body: RegisterRequest,
): Promise<RegisterAnswer> {
  const given: Given =
    bearer?.kind === 'api_key'
      ? { kind: 'api_key', key: await findApiKey(ctx, bearer.text) }
      : await presented(ctx, bearer)
  return pipeline.submit(registerTurn(ctx, given, body))
}

export function registerTurn(ctx: Ctx, given: Given, body: RegisterRequest): Turn<RegisterAnswer> {
  const { product: productCode, instance_id: instanceId } = body
  const subject = { productCode, instanceId, key: instanceKey(productCode, instanceId) }
  return {
    ctx,
    subject,
    weight: { signatures: body.nonce === undefined ? 0 : 1, reports: 0, bytes: 1_000 },
    bootIds: [],
    licenseId: null,
    changesSeat: false,
    mayCreate: given.kind !== 'instance_token',
    ...(given.kind === 'api_key'
      ? {
          credentials: [{ source: 'api_key' as const, id: given.key.id }],
          licenses: [given.key.licenseId],
          namesSeat: false,
        }
      : proofNeeds(given)),
    staticJwtId: null,
    decide: (view) => decide(view, subject, given, body),
  }
}

function decide(view: View, subject: Subject, given: Given, body: RegisterRequest): Decided<RegisterAnswer> {
  const { facts, now, random } = view
  const proven = licenseProofOf(view, subject, given, body)
  const claimed = proven.inForce ? proven.proof : 'none'
  const product = facts.productByCode(body.product)
  if (!product) throw unknownProduct()
  const created = view.instance === null
  if (created && claimed === 'none') view.admitStranger(product.id)
  const row = touched(view.instance ?? newInstance(product, subject, now), factsOf(body), claimed, now)
  const held = seated(heldLicenses(facts, view.seats.values(), now))
  const verdict = judgeIdentity(
    created
      ? null
      : {
          hasToken: row.tokenHash !== null,
          tokenPresented: row.tokenPresentedAt !== null,
          provenLicenseId: row.provenLicenseId,
          seatLicenseIds: [...view.seats.values()].flatMap((seat) =>
            isLive(seat, now) ? seat.licenseId : [],
          ),
        },
    { instance: proven.proof === 'instance', licenseId: proven.licenseId },
    { auth: product.instanceAuth, token: 'wanted' },
  )
  if (!verdict.ok) throw instanceIdTaken()
  const token = verdict.issueToken ? mintCredential('instance_token', random).secret : undefined
  const instance: InstanceRow = {
    ...row,
    ...(token === undefined
      ? {}
      : { tokenHash: hashCredential(view, 'instance_token', token), tokenPresentedAt: null }),
    ...(proven.proof === 'instance' && row.tokenPresentedAt === null ? { tokenPresentedAt: now } : {}),
    ...provenBy(proven, row, verdict.issueToken),
    ...(body.metrics === undefined ? {} : { metrics: numbersOf(body.metrics) }),
  }
  const licensed =
    body.nonce === undefined
      ? null
      : bestStanding(
          held.map(({ license }) => license),
          view.settings.tokenLife,
          now,
        )
  const directive = signDirective(
    signingOf(view),
    standingDirective(body.product, row, licensed, view),
    body.nonce,
  )
  return {
    accepted: proven.accepted,
    effects: { instance },
    answer: {
      status: 'registered',
      ...(token === undefined ? {} : { instance_token: token }),
      ...(directive === undefined ? {} : { directive }),
    },
  }
}

const factsOf = (body: RegisterRequest) => ({
  hostname: body.hostname,
  version: body.server_version,
  os: body.os,
  arch: body.arch,
  fingerprint: body.fingerprint,
  reportedTier: body.tier,
})

function licenseProofOf(view: View, subject: Subject, given: Given, body: RegisterRequest): LicenseProof {
  if (given.kind === 'none') return { proof: 'none', licenseId: null, inForce: true, accepted: false }
  if (given.kind === 'api_key') {
    const { facts, now } = view
    refuseEndedApiKey(facts.credential({ source: 'api_key', id: given.key.id }), now)
    const license = facts.license(given.key.licenseId)
    if (!license) throw apiKeyUnknown()
    if (license.productCode !== body.product) throw otherProduct()
    const { inForce } = standingOf(license, view.settings.tokenLife, now)
    return { proof: 'license', licenseId: license.id, inForce, accepted: true }
  }
  const { proof, accepted } = proveReporter(view, given, subject)
  // A JWT was made for this very instance, when its license was in force.
  const licenseId = proof === 'license' && given.kind === 'jwt' ? given.jwt.licenseId : null
  return { proof, licenseId, inForce: true, accepted }
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

const otherProduct = () =>
  new Refusal('product_mismatch', 'The API key belongs to another product.', {
    fix: 'Register with the product that the API key was issued for.',
  })
