// Reports that a relay took and delivers, hours or days later: of its customer's instances alone, each with its own
// time, and each as good as if the instance had sent it then.
import { sql } from 'drizzle-orm'
import type { TelemetryAnswer } from '../../contract/instance-api.ts'
import { relayReport } from '../../contract/relay-api.schema.ts'
import type { Executor } from '../../db/client.ts'
import { instanceKey } from '../../platform/ids.ts'
import { addDays, addSeconds, parseRfc3339 } from '../../platform/time.ts'
import type { Bearer } from '../kernel/bearer.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import { authenticateRelay } from '../relays/authenticate-relay.ts'
import type { RelayRow } from '../relays/find-relay.ts'
import type { Pipeline } from './flow/pipeline.ts'
import { OLDEST_DAYS } from './reports/count-report.ts'
import { numbersOf } from './reports/metric-numbers.ts'
import type { Report } from './reports/report.ts'
import { reportTurn } from './reports/report-turn.ts'

/** Clocks may differ. */
const SKEW_SECONDS = 300

/** @throws Refusal 401 about the relay key. A bad report is listed in the answer and fails no other. */
export async function relayTelemetry(
  ctx: Ctx,
  pipeline: Pipeline,
  bearer: Bearer,
  raw: readonly unknown[],
): Promise<TelemetryAnswer> {
  const relay = await authenticateRelay(ctx, bearer)
  const now = ctx.clock.now()
  const answer: TelemetryAnswer = { accepted: 0, duplicates: 0, rejected: [] }
  const read: Indexed[] = []
  for (const [index, value] of raw.entries()) {
    const report = readReport(value, now)
    if (typeof report === 'string') answer.rejected.push({ index, error: report })
    else read.push({ index, report, key: instanceKey(report.product, report.instanceId) })
  }
  const byInstance = Map.groupBy(read, ({ key }) => key)
  const proven = await provenInstances(ctx.db, relay, [...byInstance.keys()])
  const told = [...byInstance].map(([key, reports]) =>
    proven.has(key) ? tell(ctx, pipeline, key, reports) : reject(reports, 'instance_unproven'),
  )
  for (const { accepted, duplicates, rejected } of await Promise.all(told)) {
    answer.accepted += accepted
    answer.duplicates += duplicates
    answer.rejected.push(...rejected)
  }
  answer.rejected.sort((a, b) => a.index - b.index)
  return answer
}

interface Indexed {
  index: number
  report: Omit<Report, 'proof'>
  key: string
}

const reject = (reports: readonly Indexed[], error: string): TelemetryAnswer => ({
  accepted: 0,
  duplicates: 0,
  rejected: reports.map(({ index }) => ({ index, error })),
})

/** All reports of one instance. */
async function tell(
  ctx: Ctx,
  pipeline: Pipeline,
  key: string,
  indexed: readonly Indexed[],
): Promise<TelemetryAnswer> {
  const [first] = indexed
  if (!first) return reject([], '')
  const { product: productCode, instanceId } = first.report
  const turn = reportTurn(ctx, {
    subject: { productCode, instanceId, key },
    reports: indexed.map(({ report }) => report),
    credentials: [],
    namesSeat: false,
    mayCreate: true,
    prove: () => ({ proof: 'relay', accepted: false }),
  })
  try {
    const counts = await pipeline.submit(turn)
    const duplicates = counts.filter(({ duplicate }) => duplicate).length
    return { accepted: counts.length - duplicates, duplicates, rejected: [] }
  } catch (error) {
    if (error instanceof Refusal && error.code === 'product_unknown') return reject(indexed, error.code)
    throw error
  }
}

/** The report, or why it cannot be one. */
function readReport(
  value: unknown,
  now: Date,
): Omit<Report, 'proof'> | 'invalid_request' | 'too_old' | 'in_future' {
  const parsed = relayReport.safeParse(value)
  if (!parsed.success) return 'invalid_request'
  const { metrics, ...report } = parsed.data
  const observedAt = parseRfc3339(report.observed_at)
  if (observedAt < addDays(now, -OLDEST_DAYS)) return 'too_old'
  if (observedAt > addSeconds(now, SKEW_SECONDS)) return 'in_future'
  const kind = report.kind ?? 'telemetry'
  return {
    kind,
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
