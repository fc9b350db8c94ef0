// When the silence of a fleet is one finding, and when its instances are accused one by one.
import { describe, expect, test } from 'vitest'
import { judgeFleet, type KnownSilence, SMALLEST_FLEET } from '../../src/domain/anomalies/fleet-silence.ts'

const HOURS = 3600
const STALE_AFTER = 48 * HOURS
const NOW = new Date('2026-03-10T00:00:00Z')
const ago = (hours: number) => new Date(NOW.getTime() - hours * HOURS * 1000)
const judge = (alive: number, recent: number, known: KnownSilence | null = null) =>
  judgeFleet({ alive, recent }, known, STALE_AFTER, NOW)
const HEARD = { open: false, close: false, accuse: true }
const WAITING = { open: false, close: false, accuse: false }

describe('a fleet that nobody found silent', () => {
  test.each([
    ['all are heard', 1000, 1000, true],
    ['exactly half are heard', 1000, 500, true],
    ['one fewer than half is heard', 1000, 499, false],
    ['nobody is heard', 300_000, 0, false],
    ['nobody of a small fleet is heard', SMALLEST_FLEET - 1, 0, true],
    ['nobody of the smallest fleet that counts is heard', SMALLEST_FLEET, 0, false],
    ['there is no instance', 0, 0, true],
  ])('%s', (_, alive, recent, heard) => {
    expect(judge(alive, recent)).toEqual(heard ? HEARD : { open: true, close: false, accuse: false })
  })
})

describe('a fleet that was found silent', () => {
  const open = { alive: 1000, resolvedAt: null, byHand: false }
  test('stays so, and nobody is accused, until half of those that lived then are heard', () => {
    expect(judge(1000, 0, open)).toEqual(WAITING)
    expect(judge(1000, 499, open)).toEqual(WAITING)
    expect(judge(1000, 500, open)).toEqual({ open: false, close: true, accuse: false })
  })

  test('is not taken for a fleet that is heard because hardly any instance is left to count', () => {
    expect(judge(10, 10, open)).toEqual(WAITING)
  })
})

describe('after the silence', () => {
  const closed = (hours: number) => ({ alive: 1000, resolvedAt: ago(hours), byHand: false })
  test('everybody has as long to come back as an instance may be silent', () => {
    expect(judge(1000, 600, closed(0))).toEqual(WAITING)
    expect(judge(1000, 600, closed(47.99))).toEqual(WAITING)
    expect(judge(1000, 600, closed(48))).toEqual(HEARD)
  })

  test('another one is found, once that time is over', () => {
    expect(judge(1000, 0, closed(47))).toEqual(WAITING)
    expect(judge(1000, 0, closed(49))).toEqual({ open: true, close: false, accuse: false })
  })

  test('one that somebody resolved is accepted: those that stay away are accused', () => {
    const byHand = (hours: number) => ({ ...closed(hours), byHand: true })
    expect(judge(1000, 0, byHand(47))).toEqual(WAITING)
    expect(judge(1000, 0, byHand(48))).toEqual(HEARD)
    expect(judge(1000, 0, byHand(95))).toEqual(HEARD)
    expect(judge(1000, 0, byHand(97))).toEqual({ open: true, close: false, accuse: false })
  })
})
