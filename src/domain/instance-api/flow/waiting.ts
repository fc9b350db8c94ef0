// A turn on its way through the lanes, and which turns may ride in one batch. Pure.
import type { Seated } from './run-batch.ts'

export type LaneName = 'fast' | 'newcomers' | 'slow'

/** A batch is bounded so that it neither blocks the event loop for long nor holds rows for long. */
export const MOST = { turns: 256, signatures: 128, reports: 1_000, bytes: 1_048_576 }

export interface Waiting extends Seated {
  holdsLicense: boolean
  readonly deadline: number
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
  attempts: number
  /** Most turns of a batch that this one may ride in: a batch that failed is repeated in halves. */
  most: number
  heldBy: 'instance' | 'license'
}

/** In the slow lane those go together that wait for the same row. */
export function isBeside(lane: LaneName, first: Waiting | undefined, next: Waiting): boolean {
  if (lane !== 'slow' || !first) return true
  if (first.heldBy !== next.heldBy) return false
  return first.heldBy === 'instance'
    ? first.turn.subject.key === next.turn.subject.key
    : first.turn.licenseId === next.turn.licenseId
}
