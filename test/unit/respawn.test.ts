import { expect, test } from 'vitest'
import { afterDeath, LONG_ENOUGH_MS, MOST_QUICK_DEATHS } from '../../src/server/cluster/respawn.ts'

/** What follows deaths after so many milliseconds of service each, until there is no next one. */
function after(...served: number[]): (number | null)[] {
  const delays: (number | null)[] = []
  let deaths = 0
  for (const ms of served) {
    const { quickDeaths, delayMs } = afterDeath(deaths, ms)
    deaths = quickDeaths
    delays.push(delayMs)
  }
  return delays
}

test('who served long enough is replaced at once', () => {
  expect(after(LONG_ENOUGH_MS, LONG_ENOUGH_MS * 9)).toEqual([0, 0])
})

test('deaths soon after the start are replaced later and later, and in the end not any more', () => {
  const quick = Array<number>(MOST_QUICK_DEATHS).fill(LONG_ENOUGH_MS - 1)
  expect(after(...quick)).toEqual([200, 400, 800, 1600, 3200, null])
})

test('one that served long enough in between makes it begin anew', () => {
  expect(after(0, 0, LONG_ENOUGH_MS, 0)).toEqual([200, 400, 0, 200])
})
