// A heartbeat: facts in; action, refresh token, entitlement token and directive out.
import type { Proof } from '../../contract/catalog.ts'
import type { HeartbeatAnswer, HeartbeatRequest } from '../../contract/instance-api.ts'
import { sha256Hex } from '../../platform/hash.ts'
import { instanceKey } from '../../platform/ids.ts'
import { unixSeconds } from '../../platform/time.ts'
import type { Bearer } from '../kernel/bearer.ts'
import type { Ctx } from '../kernel/context.ts'
import { grantedRights } from '../rights/granted-rights.ts'
import type { Pipeline } from './flow/pipeline.ts'
import type { Decided, Turn, View } from './flow/turn.ts'
import { signDirective, standingDirective } from './grants/directive.ts'
import { instanceConfig } from './grants/instance-config.ts'
import { signEntitlementToken } from './grants/sign-grant.ts'
import { signingOf } from './grants/signing.ts'
import { type Presented, presented } from './proof/presented.ts'
import { proofNeeds } from './proof/proof-needs.ts'
import { proveReporter } from './proof/prove-reporter.ts'
import { unknownProduct } from './proof/refusals.ts'
import { bestStanding } from './reports/held-licenses.ts'
import { numbersOf } from './reports/metric-numbers.ts'
import { NO_BOOT, NO_BOOT_UNPROVEN, type Report } from './reports/report.ts'
import { type TakenReports, takeReports } from './reports/take-reports.ts'

/**
 * Records one heartbeat; an unknown instance becomes known. A killed or unlicensed instance gets no entitlement
 * token (T3). @throws Refusal 401, 403, 404 about credential and product.
 */
export async function heartbeat(
  ctx: Ctx,
  pipeline: Pipeline,
  bearer: Bearer | null,
  body: HeartbeatRequest,
): Promise<HeartbeatAnswer> {
  const proof = await presented(ctx, bearer)
  return pipeline.submit(heartbeatTurn(ctx, proof, body))
}

export function heartbeatTurn(ctx: Ctx, proof: Presented, body: HeartbeatRequest): Turn<HeartbeatAnswer> {
  const { product: productCode, instance_id: instanceId, boot_id, seq, metrics } = body
  const subject = { productCode, instanceId, key: instanceKey(productCode, instanceId) }
  const numbered = boot_id !== undefined && seq !== undefined
  return {
    ctx,
    subject,
    weight: {
      signatures: body.nonce === undefined ? 1 : 2,
      reports: 1,
      bytes: 1_000 + 40 * (Object.keys(metrics).length + (metrics.feature_usage?.length ?? 0)),
    },
    bootIds: numbered ? [boot_id.toLowerCase()] : [NO_BOOT, NO_BOOT_UNPROVEN],
    licenseId: null,
    changesSeat: false,
    // A token is given to an instance that is known.
    mayCreate: proof.kind !== 'instance_token',
    ...proofNeeds(proof),
    staticJwtId: null,
    decide: (view) => decide(view, subject, proof, body),
  }
}

function decide(
  view: View,
  subject: Turn<unknown>['subject'],
  presented: Presented,
  body: HeartbeatRequest,
): Decided<HeartbeatAnswer> {
  const { proof, accepted } = proveReporter(view, presented, subject)
  const product = view.facts.productByCode(body.product)
  if (!product) throw unknownProduct()
  const taken = takeReports(view, subject, product, [reportOf(body, proof)])
  const { tokenLife } = view.settings
  const licensed = bestStanding(
    taken.held.map(({ license }) => license),
    tokenLife,
    view.now,
  )
  const entitlement = entitlementOf(view, taken, licensed)
  const signing = signingOf(view)
  const directive = signDirective(
    signing,
    standingDirective(body.product, taken.instance, licensed, view),
    body.nonce,
  )
  return {
    accepted,
    effects:
      entitlement === undefined
        ? taken.effects
        : { ...taken.effects, instance: { ...taken.instance, entitlementHash: sha256Hex(entitlement) } },
    answer: {
      status: 'ok',
      action: taken.instance.action,
      config: {
        feature_refresh_token: taken.outcomes[0]?.refreshToken ?? '',
        ...instanceConfig(view.settings),
      },
      ...(entitlement === undefined ? {} : { entitlement_token: entitlement }),
      ...(directive === undefined ? {} : { directive }),
    },
  }
}

/** It does not outlive the seat that it is given for. */
function entitlementOf(
  view: View,
  { instance, held }: TakenReports,
  licensed: ReturnType<typeof bestStanding>,
): string | undefined {
  if (!licensed?.standing.inForce || instance.action === 'kill') return undefined
  const { license, standing } = licensed
  const seat = held.find((one) => one.license.id === license.id)?.seat
  return signEntitlementToken(signingOf(view), {
    license,
    rights: grantedRights(license, instance.action),
    instanceId: instance.instanceId,
    leaseExp: Math.min(standing.exp, seat ? unixSeconds(seat.leaseEndsAt) : 0),
    at: view.grantedAt,
  })
}

function reportOf(body: HeartbeatRequest, proof: Proof): Report {
  const { metrics } = body
  return {
    kind: 'heartbeat',
    proof,
    product: body.product,
    instanceId: body.instance_id,
    metrics: numbersOf(metrics),
    version: metrics.server_version,
    reportedTier: body.reported_tier,
    hasValidEntitlement: body.has_valid_entitlement,
    featureUsage: metrics.feature_usage ?? [],
    entitlementHash: metrics.entitlement_token_hash,
    integrityHash: metrics.integrity_hash,
    ack: body.ack,
    bootId: body.boot_id,
    seq: body.seq,
    observedAt: body.observed_at,
    chain: body,
  }
}
