// The batch route: many reports of one instance, each judged by itself.
import { eq } from 'drizzle-orm'
import type { Proof } from '../../contract/catalog.ts'
import { telemetryReport } from '../../contract/instance-api.schema.ts'
import type { TelemetryAnswer } from '../../contract/instance-api.ts'
import { instances, products } from '../../db/schema/index.ts'
import { wellFormed } from '../../platform/credentials.ts'
import { type Ctx, Refusal } from '../context.ts'
import { hashCredential } from '../credential-hash.ts'
import { proveReporter, type Reporter } from '../instances/prove-reporter.ts'
import type { Bearer } from '../routing.ts'
import { unknownToken } from '../tokens/prove-instance.ts'
import { presentedJwt } from '../tokens/verify-license-jwt.ts'
import { recordReports } from './record-reports.ts'
import type { Report } from './report.ts'

/** @throws Refusal 401 about the credential. A bad report is listed in the answer and fails no other. */
export async function recordTelemetry(
  ctx: Ctx,
  bearer: Bearer,
  raw: readonly unknown[],
): Promise<TelemetryAnswer> {
  const { reporter, proof } = await reporterOf(ctx, bearer)
  const answer: TelemetryAnswer = { accepted: 0, duplicates: 0, rejected: [] }
  const reports: Report[] = []
  const indexes: number[] = []
  for (const [index, value] of raw.entries()) {
    const parsed = telemetryReport.safeParse(value)
    if (!parsed.success) {
      answer.rejected.push({ index, error: 'invalid_request' })
    } else if (parsed.data.instance_id !== reporter.instanceId) {
      answer.rejected.push({ index, error: 'instance_mismatch' })
    } else {
      const { boot_id, seq, observed_at, metrics } = parsed.data
      reports.push({
        kind: 'telemetry',
        proof,
        product: reporter.productCode,
        instanceId: reporter.instanceId,
        metrics,
        bootId: boot_id,
        seq,
        observedAt: observed_at,
      })
      indexes.push(index)
    }
  }
  const outcomes = reports.length === 0 ? [] : await recordReports(ctx, reports)
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.status === 'accepted') answer.accepted += 1
    else if (outcome.status === 'duplicate') answer.duplicates += 1
    else answer.rejected.push({ index: indexes[i] ?? i, error: outcome.error })
  }
  return answer
}

/** The one instance that this credential speaks for. */
async function reporterOf(ctx: Ctx, bearer: Bearer): Promise<{ reporter: Reporter; proof: Proof }> {
  if (bearer.kind === 'jwt') {
    const { claims } = await presentedJwt(ctx, bearer.text, 'unexpired')
    if (claims.instance_id === undefined) throw unbound()
    const reporter = { productCode: claims.aud, instanceId: claims.instance_id }
    return { reporter, proof: await proveReporter(ctx, bearer, reporter) }
  }
  if (bearer.kind !== 'instance_token') {
    throw new Refusal('credential_unknown', 'This needs an instance token or a license JWT.', {
      fix: 'Send the instance token (lit_…) or the license JWT of this instance.',
    })
  }
  if (!wellFormed('instance_token', bearer.text)) throw unknownToken()
  const [found] = await ctx.db
    .select({ productCode: products.code, instanceId: instances.instanceId })
    .from(instances)
    .innerJoin(products, eq(products.id, instances.productId))
    .where(eq(instances.tokenHash, hashCredential(ctx, 'instance_token', bearer.text)))
  if (!found) throw unknownToken()
  return { reporter: found, proof: 'instance' }
}

const unbound = () =>
  new Refusal('license_jwt_invalid', 'This license JWT names no instance.', {
    fix: 'Refresh it once: the JWT that you get names this instance.',
  })
