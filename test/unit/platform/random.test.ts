import { expect, test } from 'vitest'
import { randomBytes, randomHex } from '../../../src/platform/random.ts'

test.each([1, 10, 32, 64, 65, 5000])('gives %i bytes that belong to the caller alone', (length) => {
  const given = Array.from({ length: 300 }, () => randomBytes(length))
  expect(given.every((bytes) => bytes.byteLength === length)).toBe(true)
  expect(given.every((bytes) => bytes.buffer.byteLength === length)).toBe(true)
  expect(new Set(given.map(({ buffer }) => buffer)).size).toBe(given.length)
})

test('never gives the same bytes twice', () => {
  const given = Array.from({ length: 20_000 }, (_, i) => randomHex(16 + (i % 40)).slice(0, 32))
  expect(new Set(given).size).toBe(given.length)
})
