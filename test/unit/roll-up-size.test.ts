import { expect, test } from 'vitest'
import { nextSize } from '../../src/domain/telemetry/roll-up.ts'

test.each([
  ['slow', 1_000, 1_001, 500],
  ['as slow as it may be', 1_000, 1_000, 1_000],
  ['neither', 1_000, 250, 1_000],
  ['fast', 1_000, 249, 2_000],
  ['fast and large', 5_000, 1, 5_000],
  ['slow and small', 50, 9_000, 50],
])('a batch that was %s decides how many reports the next one takes', (_, size, ms, next) => {
  expect(nextSize(size, ms)).toBe(next)
})
