// The size of the pieces that jobs work in: each a transaction of at most about a second, whatever a row costs there.
import type { Ctx } from './context.ts'

/** Rows. */
const SMALLEST = 50
export const FIRST_SIZE = 1_000
const LARGEST = 5_000
/** Milliseconds. */
const FAST = 250
const SLOW = 1_000

/** Half as many rows after a chunk that took `ms` and was slow, twice as many after a fast one; 50 to 5,000. */
export function nextSize(size: number, ms: number): number {
  if (ms > SLOW) return Math.max(SMALLEST, Math.floor(size / 2))
  return ms < FAST ? Math.min(LARGEST, size * 2) : size
}

/**
 * Calls `work` with how many rows it may take until it took fewer, or `signal` is aborted: what is left is for the next
 * run. Returns how many it took in all. `work` returns how many it took.
 */
export async function inChunks(
  { clock }: Pick<Ctx, 'clock'>,
  signal: AbortSignal,
  work: (most: number) => Promise<number>,
): Promise<number> {
  let size = FIRST_SIZE
  for (let total = 0; ; ) {
    if (signal.aborted) return total
    const start = clock.monotonic()
    const taken = await work(size)
    total += taken
    if (taken < size) return total
    size = nextSize(size, clock.monotonic() - start)
  }
}
