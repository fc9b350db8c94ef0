// Decides whether a report counts, and by how much each counter grew. Pure.
import type { MetricMap } from '../../../contract/catalog.ts'
import { addDays, parseRfc3339 } from '../../../platform/time.ts'
import type { Report } from './report.ts'
import { addSequence, hasSequence, type SequenceSet } from './sequence-set.ts'

/** What is remembered of one boot of one instance. */
export interface Stream {
  lastSeq: number
  seen: SequenceSet
  /** Each counter's last value. */
  counters: Readonly<Record<string, number>>
}

export const NEW_STREAM: Stream = { lastSeq: -1, seen: [], counters: {} }

export interface Counted {
  duplicate: boolean
  stream: Stream
  increases: Record<string, number>
}

/** Nothing older is believed to be so old. */
export const OLDEST_DAYS = 30

/**
 * Takes a report into its stream. Counters are cumulative: the increase is the growth since the last value, or the
 * value itself after a drop, which is a restart. A report that comes late, under a lower number than the newest, adds
 * nothing to the counters: the newer one held its part already.
 */
export function countReport(
  stream: Stream,
  report: Pick<Report, 'metrics'>,
  seq: number | null,
  map: MetricMap,
): Counted {
  if (seq !== null && hasSequence(stream.seen, seq)) return { duplicate: true, stream, increases: {} }
  const late = seq !== null && seq < stream.lastSeq
  const counters = { ...stream.counters }
  const increases: Record<string, number> = {}
  for (const [name, value] of Object.entries(report.metrics)) {
    // Counters only grow from nothing: a negative one is a client's fault, and must not take others' growth away.
    if (map[name]?.kind !== 'counter' || late || value < 0) continue
    const last = counters[name]
    increases[name] = last === undefined || value < last ? value : value - last
    counters[name] = value
  }
  return {
    duplicate: false,
    increases,
    stream: {
      lastSeq: seq === null ? stream.lastSeq : Math.max(stream.lastSeq, seq),
      seen: seq === null ? stream.seen : addSequence(stream.seen, seq),
      counters,
    },
  }
}

/** The instance's own time, at most 30 days old and never in the future; the time of receipt when it gave none. */
export function observedTime(observedAt: string | undefined, now: Date): Date {
  if (observedAt === undefined) return now
  const at = parseRfc3339(observedAt)
  const oldest = addDays(now, -OLDEST_DAYS)
  if (Number.isNaN(at.getTime())) return now
  if (at < oldest) return oldest
  return at > now ? now : at
}
