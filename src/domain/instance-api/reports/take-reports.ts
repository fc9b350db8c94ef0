// What the reports of one instance come to, and what they change: for heartbeats, refreshes and telemetry alike. Pure.
import { partitionDay } from '../../../db/partitions.ts'
import { uuidv7 } from '../../../platform/ids.ts'
import { fromUnixSeconds } from '../../../platform/time.ts'
import { newInstance } from '../../fleet/new-instance.ts'
import type { InstanceRow } from '../../fleet/touch-instance.ts'
import type { ProductFacts } from '../../kernel/reference.ts'
import type { Effects, Subject, View } from '../flow/turn.ts'
import { type Folded, foldReports } from './fold-reports.ts'
import { type HeldLicense, heldLicenses, seated } from './held-licenses.ts'
import { bootOf, type Report, streamPosition } from './report.ts'

export interface TakenReports {
  readonly outcomes: Folded['outcomes']
  readonly instance: InstanceRow
  /** The seats that the instance holds, highest tier first. */
  readonly held: readonly HeldLicense[]
  readonly effects: Effects
}

/** An unknown instance becomes known. @throws Refusal when it is one stranger too many. */
export function takeReports(
  view: View,
  subject: Subject,
  product: ProductFacts,
  reports: readonly Report[],
): TakenReports {
  const { now, random } = view
  if (!view.instance && reports.every(({ proof }) => proof === 'none')) view.admitStranger(product.id)
  // Not heard yet, so that also what a relay delivers late is news.
  const row = view.instance ?? {
    ...newInstance(product, subject, now),
    lastSeenAt: fromUnixSeconds(0),
  }
  const held = heldLicenses(view.facts, view.seats.values(), now)
  const folded = foldReports({
    row,
    product,
    held,
    reports,
    streamOf: (bootId) => view.streams.get(bootId),
    now,
    receivedOn: partitionDay(now),
    newId: () => uuidv7(now, random),
    scope: { key: view.pepper, product: product.code, instanceId: subject.instanceId },
    random,
  })
  return {
    outcomes: folded.outcomes,
    instance: folded.row,
    held: seated(held),
    effects: {
      instance: folded.row,
      streams: folded.streams,
      reports: folded.rows,
      findings: folded.findings,
    },
  }
}

/** The streams that decide whether the reports count. */
export const bootIdsOf = (reports: readonly Report[]): string[] => [
  ...new Set(reports.map((report) => streamPosition(report)?.bootId ?? bootOf(report))),
]
