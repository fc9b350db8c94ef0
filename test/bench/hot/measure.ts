// One run of one row: load for some seconds, a checkpoint in the middle, and what it cost.
import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchDatabase } from '../lab/database.ts'
import { meter } from '../lab/meter.ts'
import type { Program } from '../lab/program.ts'
import { applyLoad, type LoadOptions } from '../load/load.ts'

/** For each answer, but for `answers`, `failed` (both in all), `rate` (right answers a second) and latencies. */
export interface Figures {
  answers: number
  rate: number
  p50Ms: number
  p99Ms: number
  nodeMs: number
  postgresMs: number
  statements: number
  walBytes: number
  failed: number
}

export interface Measurement {
  database: BenchDatabase
  /** Name of the database whose statements count. */
  counted: string
  /** Whose processor time counts, and who answers. */
  programs: readonly Program[]
  /** Who must not work meanwhile. */
  others: readonly Program[]
  load: Omit<LoadOptions, 'targets'>
}

/** Jobs that came due while a server was frozen begin before the load does. */
const WAKE_MS = 200

export async function measure({ database, counted, programs, others, load }: Measurement): Promise<Figures> {
  for (const program of others) program.pause()
  for (const program of programs) program.resume()
  await sleep(WAKE_MS)
  const stop = await meter(
    database,
    programs.map(({ pid }) => pid),
    counted,
  )
  const checkpoint = sleep(load.seconds * 500).then(() => database.control`checkpoint`)
  const result = await applyLoad({ ...load, targets: programs })
  const cost = await stop()
  await checkpoint
  const each = (total: number) => total / Math.max(1, result.answers)
  return {
    answers: result.answers,
    rate: (result.answers - result.failed) / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    nodeMs: each(cost.nodeMs),
    postgresMs: each(cost.postgresMs),
    statements: each(cost.statements),
    walBytes: each(cost.walBytes),
    failed: result.failed,
  }
}
