// The bodies that instances send, and where in its numbered stream each instance is.
import { randomUUID } from 'node:crypto'
import { METRICS } from '../fleet/catalog.ts'

export interface Streams {
  /** One process start for all instances: a stream goes on from run to run. */
  bootId: string
  /** The next `count` numbers of the instance; returns the first. */
  take(instance: number, count?: number): number
}

export function newStreams(): Streams {
  const next: number[] = []
  return {
    bootId: randomUUID(),
    take(instance, count = 1) {
      const seq = next[instance] ?? 0
      next[instance] = seq + count
      return seq
    },
  }
}

export interface Heartbeat {
  product: string
  instanceId: string
  licensed: boolean
  bootId: string
  seq: number
  /** As text of JSON, without braces. */
  metrics: string
}

/** Put together as text: a list for one run has tens of thousands. */
export const heartbeatBody = ({ product, instanceId, licensed, bootId, seq, metrics }: Heartbeat): string =>
  `{"instance_id":"${instanceId}","product":"${product}","reported_tier":"${licensed ? 'pro' : 'free'}",` +
  `"has_valid_entitlement":${licensed},"metrics":{${metrics}},"boot_id":"${bootId}","seq":${seq}}`

/** What a client of today reports. */
export const fewMetrics = (seq: number, licensed: boolean): string =>
  `"agent_count":${licensed ? 1 + (seq % 50) : 1},"user_count":${1 + (seq % 9)},"org_count":1,` +
  `"oidc_configured":${licensed},"feature_usage":[${licensed ? '"oidc","audit_logs","api_access"' : ''}],` +
  `"entitlement_token_hash":"","server_version":"1.4.0","uptime_hours":${seq},"queries_total":${seq * 17}`

/** As many as one report may carry, each with a value of its own. */
export const manyMetrics = (seq: number): string => numbers(METRICS, seq)

/** The counters of a refresh or of one telemetry report. */
export const smallCounters = (seq: number): string => numbers(METRICS.slice(0, 5), seq)

const numbers = (names: readonly string[], seq: number): string =>
  names.map((name, i) => `"${name}":${seq * 100 + i * 7}`).join(',')
