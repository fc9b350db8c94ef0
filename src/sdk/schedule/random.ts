// Chance as part of the state: a 32-bit generator (mulberry32) whose seed comes from the platform once. For jitter only.

export interface Chance {
  seed: number
}

/** A number from 0 up to 1, and the chance that follows. */
export function draw({ seed }: Chance): { value: number; chance: Chance } {
  const next = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(next ^ (next >>> 15), next | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return { value: ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32, chance: { seed: next } }
}
