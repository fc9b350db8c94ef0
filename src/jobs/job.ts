// What a background job is. The jobs themselves are in list.ts, what runs them is run-due-jobs.ts.
import type { Ctx } from '../domain/kernel/context.ts'

export interface Job {
  /** Key of its lease row, shared by all processes: never change it. */
  readonly name: string
  /** From the start of one run to the start of the next, in seconds. */
  readonly every: number
  /**
   * Does what is due and returns numbers for the log, or null when there was nothing to do. It stops early, between
   * two pieces of work, once `signal` is aborted: the server stops, or the lease was lost.
   */
  run(ctx: Ctx, signal: AbortSignal): Promise<Record<string, number> | null>
}
