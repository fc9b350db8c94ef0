import { expect, test } from 'vitest'
import { inChunks, nextSize } from '../../src/domain/kernel/chunks.ts'

test.each([
  ['slow', 1_000, 1_001, 500],
  ['as slow as it may be', 1_000, 1_000, 1_000],
  ['neither', 1_000, 250, 1_000],
  ['fast', 1_000, 249, 2_000],
  ['fast and large', 5_000, 1, 5_000],
  ['slow and small', 50, 9_000, 50],
])('a chunk that was %s decides how large the next one is', (_, size, ms, next) => {
  expect(nextSize(size, ms)).toBe(next)
})

/** A job of so many rows, each of which takes so long. */
async function work(rows: number, msEach: number, stopAfter = Infinity) {
  let [now, left] = [0, rows]
  const sizes: number[] = []
  const stop = new AbortController()
  const clock = { now: () => new Date(0), monotonic: () => now }
  const taken = await inChunks({ clock } as never, stop.signal, async (most) => {
    const done = Math.min(most, left)
    left -= done
    now += done * msEach
    sizes.push(most)
    if (sizes.length >= stopAfter) stop.abort()
    return done
  })
  return { taken, sizes }
}

test('cheap rows are taken in ever larger chunks, dear ones in smaller, and all of them once', async () => {
  expect(await work(20_000, 0.01)).toEqual({
    taken: 20_000,
    sizes: [1_000, 2_000, 4_000, 5_000, 5_000, 5_000],
  })
  expect((await work(2_000, 10)).sizes).toEqual([1_000, 500, 250, 125, 62, 62, 62])
  expect(await work(0, 1)).toEqual({ taken: 0, sizes: [1_000] })
})

test('a job that is stopped leaves the rest', async () => {
  expect(await work(20_000, 0.01, 2)).toEqual({ taken: 3_000, sizes: [1_000, 2_000] })
})
