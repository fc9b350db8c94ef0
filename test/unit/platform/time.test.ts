import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { addDays, addSeconds, fromUnixSeconds, rfc3339, unixSeconds } from '../../../src/platform/time.ts'
import { virtualClock } from '../../support/virtual-clock.ts'

describe('times', () => {
  test('a fraction of a second is rounded down, before 1970 too', () => {
    expect(unixSeconds(new Date('2026-01-01T00:00:00.999Z'))).toBe(1_767_225_600)
    expect(unixSeconds(new Date(-1))).toBe(-1)
  })

  test('unix seconds lead back to the same instant', () => {
    expect(fromUnixSeconds(1_767_225_600).toISOString()).toBe('2026-01-01T00:00:00.000Z')
  })

  test('a day is 86 400 seconds and the given date stays as it was', () => {
    const start = new Date('2026-03-28T12:00:00Z')
    expect(addDays(start, 2).toISOString()).toBe('2026-03-30T12:00:00.000Z')
    expect(addSeconds(start, -0.5).toISOString()).toBe('2026-03-28T11:59:59.500Z')
    expect(start.toISOString()).toBe('2026-03-28T12:00:00.000Z')
  })

  test('whole seconds are written without milliseconds, the perpetual date among them', () => {
    expect(rfc3339(new Date('9999-12-31T23:59:59Z'))).toBe('9999-12-31T23:59:59Z')
    expect(rfc3339(new Date('2026-01-01T00:00:00.120Z'))).toBe('2026-01-01T00:00:00.120Z')
  })
})

describe('the clocks', () => {
  test('the system clock shows the present and never runs backwards', () => {
    const before = Date.now()
    expect(systemClock.now().getTime()).toBeGreaterThanOrEqual(before)
    const first = systemClock.monotonic()
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(first)
  })

  test('a virtual clock stands still until time passes', () => {
    const clock = virtualClock('2026-05-01T00:00:00Z')
    clock.advance(1500)
    expect(clock.now().toISOString()).toBe('2026-05-01T00:00:01.500Z')
    expect(clock.monotonic()).toBe(1500)
  })

  test('setting the wall clock back does not turn the running time back', () => {
    const clock = virtualClock()
    clock.advance(1000)
    clock.set(new Date('2020-01-01T00:00:00Z'))
    expect(clock.now().toISOString()).toBe('2020-01-01T00:00:00.000Z')
    expect(clock.monotonic()).toBe(1000)
    expect(() => clock.advance(-1)).toThrow(RangeError)
  })

  test('a date handed out by a virtual clock cannot change it', () => {
    const clock = virtualClock('2026-05-01T00:00:00Z')
    clock.now().setFullYear(1999)
    expect(clock.now().toISOString()).toBe('2026-05-01T00:00:00.000Z')
  })
})
