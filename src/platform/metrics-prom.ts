// Metrics on Node through prom-client, in a registry of its own with the process's default metrics.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Metrics } from './metrics.ts'

const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export interface PromMetrics extends Metrics {
  /** The text that a scrape of `/metrics` answers with. */
  exposition(): Promise<{ contentType: string; body: string }>
}

export function promMetrics(): PromMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
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
  }
}
