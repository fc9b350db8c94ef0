// A heartbeat: facts in; action, refresh token, entitlement token and directive out.
import type { Proof } from '../../contract/catalog.ts'
import type { HeartbeatAnswer, HeartbeatRequest } from '../../contract/instance-api.ts'
import { unixSeconds } from '../../platform/time.ts'
import type { Bearer } from '../kernel/bearer.ts'
import type { Ctx } from '../kernel/context.ts'
import { bestStanding } from '../rights/best-standing.ts'
import { grantedRights } from '../rights/granted-rights.ts'
import { signDirective, standingDirective } from './grants/directive.ts'
import { instanceConfig } from './grants/instance-config.ts'
import { issueEntitlement } from './grants/issue-entitlement.ts'
import { proveReporter, unknownProduct } from './proof/prove-reporter.ts'
import type { HeldLicense } from './reports/batch-facts.ts'
import { numbersOf } from './reports/metric-numbers.ts'
import { recordReports } from './reports/record-reports.ts'
import type { Report } from './reports/report.ts'

/**
 * Records one heartbeat; an unknown instance becomes known. A killed or unlicensed instance gets no entitlement
 * token (T3). @throws Refusal 401, 403, 404 about credential and product.
 */
export async function recordHeartbeat(
  ctx: Ctx,
  bearer: Bearer | null,
  body: HeartbeatRequest,
): Promise<HeartbeatAnswer> {
  const at = ctx.clock.now()
  const proof = await proveReporter(ctx, bearer, { productCode: body.product, instanceId: body.instance_id })
  const [outcome] = await recordReports(ctx, [heartbeatReport(body, proof)])
  if (!outcome || outcome.status === 'rejected') throw unknownProduct()
  const { instance, held } = outcome
  const licensed = await bestStanding(
    ctx,
    held.map((license) => license.licenseId),
  )
  const entitlement =
    licensed?.standing.inForce && instance.action !== 'kill'
      ? await issueEntitlement(ctx, instance, {
          license: licensed.license,
          rights: grantedRights(licensed.license, instance.action),
          instanceId: instance.instanceId,
          leaseExp: Math.min(licensed.standing.exp, seatEnd(held, licensed.license.id)),
          at,
        })
      : undefined
  const directive = await signDirective(
    ctx,
    standingDirective(body.product, instance, licensed, at),
    body.nonce,
  )
  return {
    status: 'ok',
    action: instance.action,
    config: {
      feature_refresh_token: outcome.refreshToken,
      ...instanceConfig(ctx),
    },
    ...(entitlement === undefined ? {} : { entitlement_token: entitlement }),
    ...(directive === undefined ? {} : { directive }),
  }
}

/** Unix seconds: an entitlement token does not outlive the seat that it is given for. */
function seatEnd(held: readonly HeldLicense[], licenseId: string): number {
  const seat = held.find((license) => license.licenseId === licenseId)
  return seat ? unixSeconds(seat.leaseEndsAt) : 0
}

function heartbeatReport(body: HeartbeatRequest, proof: Proof): Report {
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
