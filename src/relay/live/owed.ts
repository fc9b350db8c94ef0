// Whom the relay answered itself because the vendor did not: a hint that made them ask was followed in vain. They are told
// to ask again once the vendor answers, at a pace. Knows no socket, and not what was asked for.
import { paced } from '../sync/paced.ts'

/** Told in one step of so many milliseconds: 200 a second. */
const MOST_OF_A_STEP = 100
const STEP_MS = 500
const LOOK_MS = 1000
/** Milliseconds between two times of telling: no more often than an instance follows hints that turn out to be empty. */
const REST_MS = 5000
/** Names that are kept; past that everybody who listens is told. */
const MOST = 10_000

export interface OwedPort {
  /** How often the vendor answered. */
  answered(): number
  isAway(): boolean
  /** Asks the vendor, if it may be asked now. */
  ask(): void
  /** Tells these to ask. Those that listen. */
  tell(instanceIds: ReadonlySet<string>): ReadonlySet<string>
  /** All that listen. */
  listening(): readonly string[]
  /** Monotonic milliseconds. */
  now(): number
}

export interface Owed {
  owe(instanceId: string): void
  /** Tells those that are owed it, if the vendor has answered since. */
  look(): void
  /** Once: whether it is owed a word that went out while it did not listen. */
  claim(instanceId: string): boolean
  stop(): void
}

export function owedHints(port: OwedPort): Owed {
  const owed = new Set<string>()
  const waiting = new Set<string>()
  const late = new Set<string>()
  let everybody = false
  let answeredBefore = 0
  let restUntil = 0
  let stopped = false

  const step = paced(STEP_MS, () => {
    if (stopped) return
    const some = new Set([...waiting].slice(0, MOST_OF_A_STEP))
    for (const one of some) waiting.delete(one)
    const told = port.tell(some)
    for (const one of some) if (!told.has(one)) late.add(one)
    for (const one of late) {
      if (late.size <= MOST) break
      late.delete(one)
    }
    if (waiting.size > 0) step()
  })

  function look(): void {
    if (stopped || (owed.size === 0 && !everybody)) return
    if (port.isAway() || port.answered() === answeredBefore) {
      port.ask()
      return
    }
    if (port.now() < restUntil) return
    restUntil = port.now() + REST_MS
    for (const one of everybody ? port.listening() : owed) waiting.add(one)
    owed.clear()
    everybody = false
    step()
  }

  const timer = setInterval(look, LOOK_MS)
  timer.unref()
  return {
    owe(instanceId) {
      answeredBefore = port.answered()
      if (owed.size < MOST) owed.add(instanceId)
      else everybody = true
    },
    look,
    claim: (instanceId) => late.delete(instanceId),
    stop() {
      stopped = true
      clearInterval(timer)
    },
  }
}
