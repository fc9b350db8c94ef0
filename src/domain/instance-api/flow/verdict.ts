// What the failure of a whole batch means for its turns: which may be repeated, and how. Pure.
import { driverError, isTransient, lacksPartition } from '../../../db/errors.ts'
import { CommitUnclear } from '../../../db/pipeline.ts'
import { hasAppeared } from './write-batch.ts'

/**
 * `again`: nobody's fault. `lock`: a unique key or a row was waited for too long. `turn`: some turn wrote what the
 * database does not take. `appeared`: an instance is known after all. `fatal`: must not, or cannot, be repeated.
 */
export type Verdict = 'again' | 'lock' | 'turn' | 'appeared' | 'partition' | 'fatal'

export function verdictOf(error: unknown): Verdict {
  if (error instanceof CommitUnclear) return 'fatal'
  if (hasAppeared(error)) return 'appeared'
  if (lacksPartition(error)) return 'partition'
  const code = driverError(error)?.code ?? ''
  if (code === '55P03') return 'lock'
  if (isTransient(error)) return 'again'
  return /^2[23]/.test(code) || !(error instanceof Error && 'code' in error) ? 'turn' : 'fatal'
}
