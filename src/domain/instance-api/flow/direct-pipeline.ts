// Decides each turn in a batch of its own, at once: for a runtime in which each request has its own connection.
import { isTransient, lacksPartition } from '../../../db/errors.ts'
import { ensurePartitions } from '../../../db/partitions.ts'
import { inUse } from './in-use.ts'
import type { Pipeline } from './pipeline.ts'
import { type BatchServices, type Outcome, runBatch } from './run-batch.ts'
import type { Turn } from './turn.ts'
import { hasAppeared } from './write-batch.ts'

/** Rows that somebody holds are waited for so long. */
const LOCK_TIMEOUT_MS = 4_500
const MOST_ATTEMPTS = 4

export function directPipeline(services: BatchServices): Pipeline {
  return {
    size: 0,
    async submit<Answer>(turn: Turn<Answer>): Promise<Answer> {
      let holdsLicense = turn.changesSeat
      for (let attempt = 1; ; attempt += 1) {
        const outcome = await decide(services, turn, holdsLicense, attempt === MOST_ATTEMPTS)
        if (outcome?.kind === 'needs_license') holdsLicense = true
        if (outcome?.kind !== 'answered' && outcome?.kind !== 'refused') {
          if (attempt === MOST_ATTEMPTS) throw inUse()
          continue
        }
        if (outcome.accepted) turn.ctx.credentialAccepted?.()
        if (outcome.kind === 'refused') throw outcome.error
        return outcome.answer as Answer
      }
    },
  }
}

/** Null when it may be tried again. */
async function decide(
  services: BatchServices,
  turn: Turn<unknown>,
  holdsLicense: boolean,
  isLast: boolean,
): Promise<Outcome | null> {
  const options = { locking: 'wait', lockTimeout: LOCK_TIMEOUT_MS, newcomers: true } as const
  try {
    const [outcome] = await runBatch(services, [{ turn, holdsLicense }], options)
    return outcome ?? null
  } catch (error) {
    if (lacksPartition(error)) await ensurePartitions(services.db, services.clock.now())
    const again = hasAppeared(error) || lacksPartition(error) || isTransient(error)
    if (!again || isLast) throw error
    return null
  }
}
