// Gathers the turns of this process into batches and runs them in three lanes, so that nobody waits for a stranger.
//
// Fast: instances that are known and free; two batches at a time. Newcomers: an insert may wait for another process's.
// Slow: rows that somebody holds are waited for. Two batches never share an instance, nor a license that one of them holds.
import { ensurePartitions } from '../../../db/partitions.ts'
import { inUse } from './in-use.ts'
import { type BatchOptions, type BatchServices, type Outcome, runBatch } from './run-batch.ts'
import type { Turn } from './turn.ts'
import { verdictOf } from './verdict.ts'
import { isBeside, type LaneName, MOST, type Waiting } from './waiting.ts'

export interface Pipeline {
  /** Resolves once what was decided is committed. Rejects with the refusal, or with what failed; then nothing is. */
  submit<Answer>(turn: Turn<Answer>): Promise<Answer>
  /** Turns that wait or are under way. */
  readonly size: number
}

export interface PipelineOptions {
  /** Milliseconds from its arrival within which a turn is answered. */
  patience?: number
  /** Most turns that may wait for rows that somebody holds. */
  slowPlaces?: number
  /** Put in by tests between the round trips. */
  between?: BatchOptions['between']
  /** Told the size of each batch. */
  observe?: (lane: LaneName, turns: number) => void
}

const LANES = { fast: 2, newcomers: 1, slow: 2 } as const
/** Rows are never waited for in a batch of many; only unique keys and new partitions are. */
const SHORT_WAIT_MS = 100
const PATIENCE_MS = 5_000
/** A lock is waited for no longer than leaves time to decide, write and answer. */
const SPARE_MS = 500
const MOST_ATTEMPTS = 4
const SLOW_PLACES = 128
const LOOK_MS = 250

export function instancePipeline(services: BatchServices, options: PipelineOptions = {}): Pipeline {
  return new Lanes(services, options)
}

class Lanes implements Pipeline {
  readonly #services: BatchServices
  readonly #options: PipelineOptions
  readonly #queues: Record<LaneName, Waiting[]> = { fast: [], newcomers: [], slow: [] }
  readonly #running: Record<LaneName, number> = { fast: 0, newcomers: 0, slow: 0 }
  readonly #busyInstances = new Set<string>()
  readonly #busyLicenses = new Set<string>()
  #underWay = 0
  #isScheduled = false
  #look: NodeJS.Timeout | undefined

  constructor(services: BatchServices, options: PipelineOptions) {
    this.#services = services
    this.#options = options
  }

  get size(): number {
    const { fast, newcomers, slow } = this.#queues
    return fast.length + newcomers.length + slow.length + this.#underWay
  }

  submit<Answer>(turn: Turn<Answer>): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      this.#queues.fast.push({
        turn,
        holdsLicense: turn.changesSeat,
        deadline:
          (turn.ctx.arrivedAt ?? this.#services.clock.monotonic()) + (this.#options.patience ?? PATIENCE_MS),
        resolve: resolve as (answer: unknown) => void,
        reject,
        attempts: 0,
        most: MOST.turns,
        heldBy: 'instance',
      })
      this.#schedule()
    })
  }

  /** What arrives in one turn of the event loop goes together. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    this.#dropLate()
    for (const lane of ['slow', 'newcomers', 'fast'] as const) {
      while (this.#running[lane] < LANES[lane]) {
        const batch = this.#take(lane)
        if (batch.length === 0) break
        void this.#run(lane, batch)
      }
    }
    this.#lookLater()
  }

  /** Those that may ride together, in the order of their arrival. */
  #take(lane: LaneName): Waiting[] {
    const batch: Waiting[] = []
    const left: Waiting[] = []
    const passed = new Set<string>()
    const sum = { signatures: 0, reports: 0, bytes: 0 }
    let most = MOST.turns
    for (const waiting of this.#queues[lane]) {
      const { subject, weight } = waiting.turn
      const fits =
        batch.length < Math.min(most, waiting.most) &&
        (batch.length === 0 ||
          (sum.signatures + weight.signatures <= MOST.signatures &&
            sum.reports + weight.reports <= MOST.reports &&
            sum.bytes + weight.bytes <= MOST.bytes))
      if (!fits || passed.has(subject.key) || this.#isBusy(waiting) || !isBeside(lane, batch[0], waiting)) {
        passed.add(subject.key)
        left.push(waiting)
        continue
      }
      most = Math.min(most, waiting.most)
      sum.signatures += weight.signatures
      sum.reports += weight.reports
      sum.bytes += weight.bytes
      batch.push(waiting)
    }
    this.#queues[lane] = left
    return batch
  }

  #isBusy({ turn, holdsLicense }: Waiting): boolean {
    if (this.#busyInstances.has(turn.subject.key)) return true
    return holdsLicense && turn.licenseId !== null && this.#busyLicenses.has(turn.licenseId)
  }

  async #run(lane: LaneName, batch: readonly Waiting[]): Promise<void> {
    const instances = batch.map(({ turn }) => turn.subject.key)
    const licenses = batch.flatMap(({ turn, holdsLicense }) => (holdsLicense ? (turn.licenseId ?? []) : []))
    for (const key of instances) this.#busyInstances.add(key)
    for (const id of licenses) this.#busyLicenses.add(id)
    this.#running[lane] += 1
    this.#underWay += batch.length
    this.#options.observe?.(lane, batch.length)
    try {
      const outcomes = await runBatch(this.#services, batch, this.#batchOptions(lane, batch))
      this.#settle(batch, outcomes)
    } catch (error) {
      await this.#failed(lane, batch, error)
    } finally {
      for (const key of instances) this.#busyInstances.delete(key)
      for (const id of licenses) this.#busyLicenses.delete(id)
      this.#running[lane] -= 1
      this.#underWay -= batch.length
      this.#schedule()
    }
  }

  #batchOptions(lane: LaneName, batch: readonly Waiting[]): BatchOptions {
    const { between } = this.#options
    const more = between ? { between } : {}
    if (lane !== 'slow') {
      return { locking: 'skip', lockTimeout: SHORT_WAIT_MS, newcomers: lane === 'newcomers', ...more }
    }
    const left = Math.min(...batch.map(({ deadline }) => deadline)) - this.#services.clock.monotonic()
    const lockTimeout = Math.max(SHORT_WAIT_MS, Math.floor(left - SPARE_MS))
    return { locking: 'wait', lockTimeout, newcomers: true, ...more }
  }

  #settle(batch: readonly Waiting[], outcomes: readonly Outcome[]): void {
    const again: Waiting[] = []
    for (const [place, waiting] of batch.entries()) {
      const outcome = outcomes[place]
      switch (outcome?.kind) {
        case 'answered':
          if (outcome.accepted) waiting.turn.ctx.credentialAccepted?.()
          waiting.resolve(outcome.answer)
          break
        case 'refused':
          if (outcome.accepted) waiting.turn.ctx.credentialAccepted?.()
          waiting.reject(outcome.error)
          break
        case 'held':
          this.#wait(waiting, outcome.by)
          break
        case 'unknown':
          this.#queues.newcomers.push(waiting)
          break
        case 'needs_license':
          again.push(Object.assign(waiting, { holdsLicense: true }))
          break
        case 'again':
        case undefined:
          again.push(waiting)
          break
      }
    }
    this.#queues.fast.unshift(...again)
  }

  #wait(waiting: Waiting, heldBy: Waiting['heldBy']): void {
    const { slow } = this.#queues
    const places = this.#options.slowPlaces ?? SLOW_PLACES
    if (slow.length >= places) waiting.reject(inUse())
    else slow.push(Object.assign(waiting, { heldBy }))
  }

  /** Nothing of the batch is written. What may be repeated is; the rest is told. */
  async #failed(lane: LaneName, batch: readonly Waiting[], error: unknown): Promise<void> {
    const verdict = verdictOf(error)
    if (verdict === 'partition') {
      const made = await ensurePartitions(this.#services.db, this.#services.clock.now()).catch(
        (why: unknown) => why,
      )
      if (made instanceof Error) return rejectAll(batch, made)
    }
    const back: Waiting[] = []
    for (const waiting of batch) {
      waiting.attempts += 1
      const isSpent = waiting.attempts >= MOST_ATTEMPTS
      if (verdict === 'fatal' || (verdict === 'turn' && batch.length === 1)) waiting.reject(error)
      else if (verdict === 'lock' && (lane === 'slow' || isSpent)) waiting.reject(inUse(error))
      else if (verdict === 'lock' && batch.length === 1) this.#wait(waiting, 'instance')
      else if (isSpent && verdict !== 'turn') waiting.reject(verdict === 'again' ? inUse(error) : error)
      else back.push(waiting)
    }
    if (verdict === 'turn' || verdict === 'lock') {
      for (const waiting of back) waiting.most = Math.ceil(batch.length / 2)
    }
    this.#queues[verdict === 'appeared' ? 'fast' : lane].unshift(...back)
  }

  /** A caller that has gone, or waited too long, is not read any more. */
  #dropLate(): void {
    const now = this.#services.clock.monotonic()
    for (const lane of ['fast', 'newcomers', 'slow'] as const) {
      this.#queues[lane] = this.#queues[lane].filter((waiting) => {
        const gone = waiting.turn.ctx.isGone?.() ?? false
        if (!gone && waiting.deadline > now) return true
        waiting.reject(inUse())
        return false
      })
    }
  }

  #lookLater(): void {
    const { fast, newcomers, slow } = this.#queues
    if (this.#look || fast.length + newcomers.length + slow.length === 0) return
    this.#look = setTimeout(() => {
      this.#look = undefined
      this.#pump()
    }, LOOK_MS)
  }
}

function rejectAll(batch: readonly Waiting[], error: unknown): void {
  for (const waiting of batch) waiting.reject(error)
}
