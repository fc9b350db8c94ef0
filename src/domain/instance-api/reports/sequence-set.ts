// The report numbers of one boot that were counted, as half-open ranges. Pure; its text form is Postgres'
// int8multirange. Bounded: a client that sends gaps on purpose costs no more than an honest one.

export type SequenceSet = readonly (readonly [from: number, to: number])[]

const MOST_RANGES = 64
const RANGE = /\[(\d+),(\d+)\)/g

/** Reads `{[0,5),[7,8)}`. */
export function parseSequenceSet(text: string): SequenceSet {
  return [...text.matchAll(RANGE)].map(([, from, to]) => [Number(from), Number(to)] as const)
}

export function formatSequenceSet(set: SequenceSet): string {
  return `{${set.map(([from, to]) => `[${from},${to})`).join(',')}}`
}

export function hasSequence(set: SequenceSet, seq: number): boolean {
  return set.some(([from, to]) => seq >= from && seq < to)
}

/**
 * The set with `seq` in it. Past 64 ranges the two lowest become one: numbers between them, older than everything
 * else that is remembered, count as seen from then on.
 */
export function addSequence(set: SequenceSet, seq: number): SequenceSet {
  const merged: (readonly [number, number])[] = []
  let [from, to] = [seq, seq + 1]
  for (const range of set) {
    if (range[1] < from || range[0] > to) merged.push(range)
    else [from, to] = [Math.min(from, range[0]), Math.max(to, range[1])]
  }
  merged.push([from, to])
  merged.sort((a, b) => a[0] - b[0])
  const [first, second, ...rest] = merged
  if (merged.length > MOST_RANGES && first && second) return [[first[0], second[1]], ...rest]
  return merged
}
