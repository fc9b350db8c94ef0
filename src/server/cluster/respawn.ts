// When a worker that died is replaced: at once, later, or not any more. Pure.

/** A worker that served for so long (milliseconds) did not die of its start. */
export const LONG_ENOUGH_MS = 10_000
/** Deaths in a row, each soon after the start, after which another one would die too. */
export const MOST_QUICK_DEATHS = 6
const FIRST_DELAY_MS = 200

export interface Respawn {
  quickDeaths: number
  /** Null: not any more. */
  delayMs: number | null
}

/** `servedMs`: how long the one that died had served; 0 when it never did. */
export function afterDeath(quickDeathsBefore: number, servedMs: number): Respawn {
  if (servedMs >= LONG_ENOUGH_MS) return { quickDeaths: 0, delayMs: 0 }
  const quickDeaths = quickDeathsBefore + 1
  if (quickDeaths >= MOST_QUICK_DEATHS) return { quickDeaths, delayMs: null }
  return { quickDeaths, delayMs: FIRST_DELAY_MS * 2 ** (quickDeaths - 1) }
}
