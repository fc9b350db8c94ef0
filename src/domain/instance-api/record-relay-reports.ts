// Reports that a relay took and delivers, hours or days later: of its customer's instances alone, each with its own
// time, and each as good as if the instance had sent it then.
import { sql } from 'drizzle-orm'
import type { TelemetryAnswer } from '../../contract/instance-api.ts'
import { relayReport } from '../../contract/relay-api.schema.ts'
import type { Executor } from '../../db/client.ts'
import { instanceKey } from '../../platform/ids.ts'
import { addDays, addSeconds, parseRfc3339 } from '../../platform/time.ts'
import type { Bearer } from '../kernel/bearer.ts'
import type { Ctx } from '../kernel/context.ts'
import { authenticateRelay } from '../relays/authenticate-relay.ts'
import type { RelayRow } from '../relays/find-relay.ts'
import { OLDEST_DAYS } from './reports/count-report.ts'
import { numbersOf } from './reports/metric-numbers.ts'
import { recordReports } from './reports/record-reports.ts'
import type { Report } from './reports/report.ts'

/** Clocks may differ. */
const SKEW_SECONDS = 300

/** @throws Refusal 401 about the relay key. A bad report is listed in the answer and fails no other. */
export async function recordRelayReports(
  ctx: Ctx,
  bearer: Bearer,
  raw: readonly unknown[],
): Promise<TelemetryAnswer> {
  const relay = await authenticateRelay(ctx, bearer)
  const now = ctx.clock.now()
  const answer: TelemetryAnswer = { accepted: 0, duplicates: 0, rejected: [] }
  const read: { report: Report; index: number }[] = []
  for (const [index, value] of raw.entries()) {
    const report = readReport(value, now)
    if (typeof report === 'string') answer.rejected.push({ index, error: report })
    else read.push({ report, index })
  }
  const keyOf = ({ report }: (typeof read)[number]) => instanceKey(report.product, report.instanceId)
  const proven = await provenInstances(ctx.db, relay, [...new Set(read.map(keyOf))])
  const reports = read.filter((entry) => proven.has(keyOf(entry)))
  for (const entry of read) {
    if (!proven.has(keyOf(entry))) answer.rejected.push({ index: entry.index, error: 'instance_unproven' })
  }
  const outcomes =
    reports.length === 0
      ? []
      : await recordReports(
          ctx,
          reports.map(({ report }) => report),
        )
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.status === 'accepted') answer.accepted += 1
    else if (outcome.status === 'duplicate') answer.duplicates += 1
    else answer.rejected.push({ index: reports[i]?.index ?? i, error: outcome.error })
  }
  answer.rejected.sort((a, b) => a.index - b.index)
  return answer
}

/** The report, or why it cannot be one. */
function readReport(value: unknown, now: Date): Report | 'invalid_request' | 'too_old' | 'in_future' {
  const parsed = relayReport.safeParse(value)
  if (!parsed.success) return 'invalid_request'
  const { metrics, ...report } = parsed.data
  const observedAt = parseRfc3339(report.observed_at)
  if (observedAt < addDays(now, -OLDEST_DAYS)) return 'too_old'
  if (observedAt > addSeconds(now, SKEW_SECONDS)) return 'in_future'
  const kind = report.kind ?? 'telemetry'
  return {
    kind,
    proof: 'relay',
    product: report.product,
    instanceId: report.instance_id,
    metrics: numbersOf(metrics),
    version: report.server_version ?? metrics.server_version,
    reportedTier: report.reported_tier,
    hasValidEntitlement: report.has_valid_entitlement,
    featureUsage: report.feature_usage ?? metrics.feature_usage ?? [],
    entitlementHash: metrics.entitlement_token_hash,
    integrityHash: metrics.integrity_hash,
    ack: report.ack,
    bootId: report.boot_id,
    seq: report.seq,
    observedAt: report.observed_at,
  }
}

/**
 * Those that a license of the relay's customer has proven, or that hold or held a seat of one, on the server or from
 * this very relay. Where instances are open, a seat says nothing of one that another license has proven (T9).
 */
async function provenInstances(
  db: Executor,
  { id, customerId }: Pick<RelayRow, 'id' | 'customerId'>,
  keys: readonly string[],
): Promise<Set<string>> {
  if (keys.length === 0) return new Set()
  const rows = await db.execute<{ key: string }>(sql`
    select k.key
    from (select value::uuid as key from jsonb_array_elements_text(${JSON.stringify(keys)}::jsonb)) k
      left join instances i on i.instance_key = k.key
      left join products p on p.id = i.product_id
      left join licenses l on l.id = i.proven_license_id
    where l.customer_id = ${customerId}::uuid
      or ((l.id is null or p.instance_auth = 'token') and exists (
        select 1 from activations a join licenses held on held.id = a.license_id
        where a.instance_key = k.key and held.customer_id = ${customerId}::uuid))
      or (l.id is null and exists (
        select 1 from relay_leases r where r.relay_id = ${id}::uuid and r.instance_key = k.key))`)
  return new Set(rows.map(({ key }) => key))
}
