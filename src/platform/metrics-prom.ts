// Metrics on Node through prom-client, in a registry of its own with the process's default metrics.
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Metrics } from './metrics.ts'

const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** What one process has counted, in a form that goes to another one. */
export type MetricsSnapshot = readonly { readonly name: string; readonly type: unknown }[]

export interface PromMetrics extends Metrics {
  /** The text that a scrape of `/metrics` answers with. */
  exposition(): Promise<{ contentType: string; body: string }>
  snapshot(): Promise<MetricsSnapshot>
}

/** `process`: with what the process uses of memory, processor and event loop. */
export function promMetrics({ process = true } = {}): PromMetrics {
  const registry = new Registry()
  if (process) collectDefaultMetrics({ register: registry })
  const registers = [registry]
  return {
    counter: (name, help, labels = []) => {
      const counter = new Counter({ name, help, labelNames: labels, registers })
      return { inc: (values, by = 1) => counter.inc(values, by) }
    },
    gauge: (name, help, labels = []) => {
      const gauge = new Gauge({ name, help, labelNames: labels, registers })
      return { set: (values, value) => gauge.set(values, value) }
    },
    histogram: (name, help, labels = [], buckets = REQUEST_SECONDS) => {
      const histogram = new Histogram({ name, help, labelNames: labels, buckets: [...buckets], registers })
      return {
        observe: (values, value) => histogram.observe(values, value),
        of: (values) => histogram.labels(values),
      }
    },
    exposition: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
    snapshot: () => registry.getMetricsAsJSON(),
  }
}

/** The metrics of several processes as those of one: counts and sizes added, the rest as its kind demands. */
const together = (snapshots: readonly MetricsSnapshot[]) => AggregatorRegistry.aggregate([...snapshots])

export const merge = (snapshots: readonly MetricsSnapshot[]): Promise<MetricsSnapshot> =>
  together(snapshots).getMetricsAsJSON()

export const expositionOf = (snapshots: readonly MetricsSnapshot[]): Promise<string> =>
  together(snapshots).metrics()

/** What only ever grows; the rest says how things are. */
export const countsOf = (snapshot: MetricsSnapshot): MetricsSnapshot =>
  snapshot.filter(({ type }) => type === 'counter' || type === 'histogram')
