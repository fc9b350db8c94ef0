// Runs a drill step by step: each passes or fails, and takes its time. The first failure ends the drill.
import { performance } from 'node:perf_hooks'

export interface StepResult {
  step: string
  passed: boolean
  ms: number
  /** Why it failed; what was seen where it passed. */
  detail: string
}

/** A step of a drill found something that is not as it must be. */
export class DrillError extends Error {
  override readonly name = 'DrillError'
}

/** @throws DrillError unless the condition holds. */
export function must(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new DrillError(otherwise)
}

/** Does a step's work; what it returns is shown. */
export type Step = (step: string, work: () => Promise<string>) => Promise<void>

/** Whether every step passed. Errors of the drill itself are told by `explain`, in one line. */
export async function runSteps(
  drill: (step: Step) => Promise<void>,
  tell: (result: StepResult) => void,
  explain: (error: unknown) => string,
): Promise<boolean> {
  let failed = false
  const step: Step = async (name, work) => {
    const began = performance.now()
    const passed = (ms: number) => Math.round(ms - began)
    try {
      const detail = await work()
      tell({ step: name, passed: true, ms: passed(performance.now()), detail })
    } catch (error) {
      failed = true
      const detail = error instanceof DrillError ? error.message : explain(error)
      tell({ step: name, passed: false, ms: passed(performance.now()), detail })
      throw new DrillError(detail)
    }
  }
  try {
    await drill(step)
    return true
  } catch (error) {
    if (failed) return false
    throw error
  }
}
