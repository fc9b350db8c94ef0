// Many findings of a batch into one for each instance and type, as the table holds them. Pure.
import type { Proof } from '../../contract/catalog.ts'
import type { AnomalySighting } from './record-anomalies.ts'
import type { Finding } from './rules.ts'

/** A finding with whom it is about, when it was seen, and how the report was proven (T11). */
export interface DatedFinding extends Finding {
  readonly instanceKey: string
  readonly productId: string
  readonly seenAt: Date
  readonly proof: Proof
}

/**
 * One sighting for each instance and type: counts added, first and last time, and the evidence of the latest
 * finding with its proof. An unproven finding never replaces the evidence of a proven one (T11). Of equally late
 * findings the last in the list wins. Sorted by instance and type.
 */
export function foldFindings(findings: readonly DatedFinding[]): AnomalySighting[] {
  const groups = Map.groupBy(findings, ({ instanceKey, type }) => `${instanceKey} ${type}`)
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, group]) => foldGroup(group) ?? [])
}

function foldGroup(group: readonly DatedFinding[]): AnomalySighting | null {
  const byTime = group.toSorted((a, b) => a.seenAt.getTime() - b.seenAt.getTime())
  const first = byTime.at(0)
  const last = byTime.at(-1)
  const shown = byTime.findLast(({ proof }) => proof !== 'none') ?? last
  if (!first || !last || !shown) return null
  const { instanceKey, productId, type, severity, evidence, proof } = shown
  const { seenAt: firstSeenAt } = first
  const { seenAt: lastSeenAt } = last
  const count = group.length
  return { instanceKey, productId, type, severity, count, firstSeenAt, lastSeenAt, evidence, proof }
}
