// The metrics port: what is counted, without saying how it is exposed.

export interface Counter<Label extends string> {
  /** Adds `by`, 1 when left out. */
  inc(labels: Readonly<Record<Label, string>>, by?: number): void
}

export interface Gauge<Label extends string> {
  set(labels: Readonly<Record<Label, string>>, value: number): void
}

export interface Histogram<Label extends string> {
  observe(labels: Readonly<Record<Label, string>>, value: number): void
  /** The series of these labels, for whoever observes often. */
  of(labels: Readonly<Record<Label, string>>): Observed
}

export interface Observed {
  observe(value: number): void
}

/** Names follow Prometheus: base units, `_total` for counters. A name is made once in an instance. */
export interface Metrics {
  counter<Label extends string = never>(name: string, help: string, labels?: readonly Label[]): Counter<Label>
  gauge<Label extends string = never>(name: string, help: string, labels?: readonly Label[]): Gauge<Label>
  /** `buckets` are upper bounds, rising; the default suits seconds of a request. */
  histogram<Label extends string = never>(
    name: string,
    help: string,
    labels?: readonly Label[],
    buckets?: readonly number[],
  ): Histogram<Label>
}

/** For runtimes that nobody scrapes, such as Workers. */
export const noMetrics: Metrics = {
  counter: () => ({ inc: () => undefined }),
  gauge: () => ({ set: () => undefined }),
  histogram: () => ({ observe: () => undefined, of: () => ({ observe: () => undefined }) }),
}
