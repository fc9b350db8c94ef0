// What the process that holds a server together and its workers tell each other. Other messages pass the same channel.
import type { MetricsSnapshot } from '../../platform/metrics-prom.ts'

/** What a worker cannot know from its settings. */
export interface WorkerTask {
  /** Holds a password: never log it. */
  databaseUrl: string
  /** Full path of the data folder, which holds the keys where the settings name none. */
  dataDir: string
  issuer: string
  /** How many processes share the bounds of the settings. */
  processes: number
}

export type ToWorker =
  | { leasehold: 'serve'; task: WorkerTask }
  /** `linger`: go on answering for as long as the settings say. */
  | { leasehold: 'stop'; linger: boolean }
  | { leasehold: 'count'; id: number }
  | { leasehold: 'all counts'; id: number; snapshots: MetricsSnapshot[] }

export type ToPrimary =
  | { leasehold: 'serving'; port: number }
  /** It could not start, and the next one could not either. */
  | { leasehold: 'failed'; message: string; fix: string }
  | { leasehold: 'counts'; id: number; snapshot: MetricsSnapshot }
  | { leasehold: 'count all'; id: number }

/** The message, or null for one of somebody else, such as `node --watch`. */
export function ours<M extends ToWorker | ToPrimary>(message: unknown): M | null {
  return typeof message === 'object' && message !== null && 'leasehold' in message ? (message as M) : null
}
