// What the reports of one instance come to: its new facts, its streams, the rows to keep and the findings. Pure.

import { effectiveRights } from '../../../license/limits.ts'
import type { RandomBytes } from '../../../platform/random.ts'
import type { DatedFinding } from '../../anomalies/fold.ts'
import { judgeReport } from '../../anomalies/rules.ts'
import { advanceLineage } from '../../fleet/lineage.ts'
import { readLineageState } from '../../fleet/lineage-state.ts'
import { randomFeatureToken, type TokenScope } from '../../fleet/refresh-token.ts'
import type { InstanceRow } from '../../fleet/touch-instance.ts'
import type { ProductFacts } from '../../kernel/reference.ts'
import { countReport, NEW_STREAM, observedTime, type Stream } from './count-report.ts'
import type { HeldLicense } from './held-licenses.ts'
import { bootOf, type Report, streamPosition } from './report.ts'
import type { ReportRow } from './report-row.ts'

export interface FoldInput {
  row: InstanceRow
  product: ProductFacts
  /** Highest tier first. */
  held: readonly HeldLicense[]
  /** In the order received. */
  reports: readonly Report[]
  streamOf: (bootId: string) => Stream | undefined
  now: Date
  receivedOn: string
  newId: () => string
  scope: TokenScope
  random: RandomBytes
}

export interface Folded {
  row: InstanceRow
  rows: ReportRow[]
  streams: Map<string, Stream>
  findings: DatedFinding[]
  /** In the order received: whether the report had been counted before, and the refresh token to answer with. */
  outcomes: { duplicate: boolean; refreshToken: string }[]
}

/**
 * The latest report, by its own time, gives the facts; features are united; every report that counts is kept.
 * A duplicate changes nothing but is still a sign of life. What a relay delivers late changes nothing that is known
 * from later on.
 */
export function foldReports(input: FoldInput): Folded {
  const { row, product, held, now } = input
  const { instanceKey } = row
  const streams = new Map<string, Stream>()
  const folded: Folded = { row: heard(row, input), rows: [], streams, findings: [], outcomes: [] }
  let newest: Date | null = null
  const usedNow: string[] = []
  const inOrder = [...input.reports.entries()].sort(([, a], [, b]) => (a.seq ?? 0) - (b.seq ?? 0))
  for (const [index, report] of inOrder) {
    const position = streamPosition(report)
    const bootId = position?.bootId ?? bootOf(report)
    const before = streams.get(bootId) ?? input.streamOf(bootId) ?? NEW_STREAM
    const counted = countReport(before, report, position?.seq ?? null, product.metricMap)
    const refreshToken = advance(folded, report, input)
    folded.outcomes[index] = { duplicate: counted.duplicate, refreshToken }
    if (counted.duplicate) continue
    streams.set(bootId, counted.stream)
    const observedAt = observedTime(report.observedAt, now)
    const isNews = report.proof !== 'relay' || observedAt >= row.lastSeenAt
    if (isNews && (newest === null || observedAt >= newest)) {
      newest = observedAt
      takeFacts(folded.row, row, report, now)
    }
    if (isNews) usedNow.push(...(report.featureUsage ?? []))
    folded.rows.push({
      instanceKey,
      receivedOn: input.receivedOn,
      id: input.newId(),
      productId: product.id,
      licenseId: held[0]?.license.id ?? null,
      kind: report.kind,
      proof: report.proof,
      receivedAt: now,
      observedAt,
      bootId: position?.bootId ?? null,
      seq: position?.seq ?? null,
      version: report.version ?? folded.row.version,
      tier: held[0]?.license.tier.code ?? product.tiers[0]?.code ?? null,
      metrics: report.metrics,
      increases: counted.increases,
      features: [...(report.featureUsage ?? [])],
    })
    folded.findings.push(...findingsOf(report, input, observedAt))
  }
  folded.row.featureUsage = united(usedNow, row.featureUsage)
  return folded
}

function heard(row: InstanceRow, { now, reports }: FoldInput): InstanceRow {
  const heardAt = latestTime(reports, now)
  const proven = reports.findLast((report) => report.proof !== 'none')?.proof
  const acknowledged = reports.some((report) => mayAcknowledge(report, row) && report.ack === row.actionSeq)
  // What a relay forwards was answered by the relay, which carries no action.
  const delivers =
    row.actionSetAt !== null &&
    reports.some((report) => report.kind === 'heartbeat' && report.proof !== 'relay')
  const presented = reports.some((report) => report.proof === 'instance')
  return {
    ...row,
    lastSeenAt: row.lastSeenAt > heardAt ? row.lastSeenAt : heardAt,
    deactivatedAt: row.deactivatedAt !== null && row.deactivatedAt > heardAt ? row.deactivatedAt : null,
    actionDeliveredAt: row.actionDeliveredAt ?? (delivers ? now : null),
    actionAcknowledgedAt: row.actionAcknowledgedAt ?? (acknowledged ? now : null),
    tokenPresentedAt: row.tokenPresentedAt ?? (presented ? now : null),
    proof: heardAt < row.lastSeenAt && proven === 'relay' ? row.proof : (proven ?? 'none'),
  }
}

/** When the instance was last heard: when a relay took its report, not when the relay delivered it. */
function latestTime(reports: FoldInput['reports'], now: Date): Date {
  const times = reports.map((report) =>
    report.proof === 'relay' ? observedTime(report.observedAt, now) : now,
  )
  return times.reduce((latest, time) => (time > latest ? time : latest))
}

/** A relay speaks for an instance only where a license has proven it (T11). */
function mayAcknowledge(report: Report, row: InstanceRow): boolean {
  return report.proof === 'relay' ? row.provenLicenseId !== null : report.proof !== 'none'
}

function takeFacts(update: InstanceRow, row: InstanceRow, report: Report, now: Date): void {
  update.version = report.version ?? update.version
  update.reportedTier = report.reportedTier ?? update.reportedTier
  update.hasValidEntitlement = report.hasValidEntitlement ?? update.hasValidEntitlement
  update.integrityHash = report.integrityHash ?? update.integrityHash
  update.metrics = latestMetrics(update.metrics, report)
  if (report.entitlementHash && row.entitlementHash !== null) {
    update.entitlementMismatchAt = report.entitlementHash === row.entitlementHash ? null : now
  }
}

/** The chain is advanced by proven requests only; others get a token of no further meaning (T5). */
function advance(folded: Folded, report: Report, { now, scope, random, row, product }: FoldInput): string {
  if (!report.chain || report.proof === 'none') return randomFeatureToken(random)
  const chain = advanceLineage(
    readLineageState(folded.row.lineage),
    { refreshToken: report.chain.refresh_token, refreshId: report.chain.refresh_id },
    scope,
    now,
    random,
  )
  folded.row.lineage = chain.state
  if (chain.cloneEvidence) {
    folded.findings.push({
      type: 'instance_cloned',
      severity: 'high',
      evidence: { ...chain.cloneEvidence },
      instanceKey: row.instanceKey,
      productId: product.id,
      seenAt: now,
      proof: report.proof,
    })
  }
  return chain.nextToken
}

function findingsOf(report: Report, { row, product, held }: FoldInput, seenAt: Date): DatedFinding[] {
  const best = held[0]
  const lowest = product.tiers[0]
  if (!lowest) return []
  // The seat that a relay gave out is not on record here: its rights are not known.
  if (report.proof === 'relay' && !best) return []
  const tier = best?.license.tier ?? lowest
  const { limits } = effectiveRights(tier, {
    featuresAdded: [],
    featuresRemoved: [],
    limits: best?.license.limits ?? {},
  })
  return judgeReport({
    serverTier: tier,
    tiers: product.tiers,
    reportedTier: report.reportedTier,
    hasValidEntitlement: report.hasValidEntitlement,
    featureUsage: report.featureUsage ?? [],
    metrics: report.metrics,
    limits,
    hasSeatWithinGrace: held.length > 0,
    metricMap: product.metricMap,
  }).map((finding) => ({
    ...finding,
    instanceKey: row.instanceKey,
    productId: product.id,
    seenAt,
    proof: report.proof,
  }))
}

const MOST_METRICS = 100

/** A heartbeat tells all; a refresh or a telemetry report adds what it tells, within bounds. */
function latestMetrics(known: Record<string, number>, report: Report): Record<string, number> {
  const both = { ...known, ...report.metrics }
  return report.kind === 'heartbeat' || Object.keys(both).length > MOST_METRICS ? report.metrics : both
}

const MOST_FEATURES = 200

function united(features: readonly string[], known: readonly string[]): string[] {
  const used = new Set(features)
  return used.size === 0 ? [...known] : [...used].slice(0, MOST_FEATURES)
}
