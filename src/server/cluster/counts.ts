// The metrics of all processes of a server: asks each for its own, and keeps what those that ended had counted.
import { countsOf, type MetricsSnapshot, merge } from '../../platform/metrics-prom.ts'

/** A worker that does not answer in time is left out, so that one that hangs does not hide the others. */
const PATIENCE_MS = 1_000

export interface Counts {
  /** Of every process, and of those that have ended. `ask` sends the question with this id to a worker. */
  collect(workers: readonly { id: number; ask: (id: number) => void }[]): Promise<MetricsSnapshot[]>
  answered(id: number, snapshot: MetricsSnapshot): void
  /** Counters must not go back when a worker ends: Prometheus would take it for a restart, and count the rest again. */
  ended(worker: number): Promise<void>
}

export function openCounts(own: () => Promise<MetricsSnapshot>): Counts {
  const asked = new Map<number, (snapshot: MetricsSnapshot) => void>()
  const last = new Map<number, MetricsSnapshot>()
  let former: MetricsSnapshot[] = []
  let questions = 0

  const question = (ask: (id: number) => void): Promise<MetricsSnapshot | null> =>
    new Promise((resolve) => {
      const id = ++questions
      const settle = (snapshot: MetricsSnapshot | null) => {
        clearTimeout(timer)
        asked.delete(id)
        resolve(snapshot)
      }
      const timer = setTimeout(() => settle(null), PATIENCE_MS)
      asked.set(id, settle)
      ask(id)
    })

  return {
    async collect(workers) {
      await Promise.all(
        workers.map(async ({ id, ask }) => {
          const snapshot = await question(ask)
          if (snapshot) last.set(id, snapshot)
        }),
      )
      const known = workers.map(({ id }) => last.get(id)).filter((snapshot) => snapshot !== undefined)
      return [await own(), ...known, ...former]
    },
    answered: (id, snapshot) => asked.get(id)?.(snapshot),
    async ended(worker) {
      const snapshot = last.get(worker)
      last.delete(worker)
      if (snapshot) former = [await merge([...former, countsOf(snapshot)])]
    },
  }
}
