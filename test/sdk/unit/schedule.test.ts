import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { draw } from '../../../src/sdk/schedule/random.ts'
import {
  clampInterval,
  clampRetryAfter,
  DAY_MS,
  HOUR,
  type Lease,
  MINUTE,
  untilForced,
  untilRefresh,
  untilRetry,
} from '../../../src/sdk/schedule/timing.ts'

const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const lease = (life: number, age = 0): Lease => ({ life, left: life - age })

describe('the refresh schedule', () => {
  test.each([
    ['30 days', 30 * DAY_MS, 28 * DAY_MS],
    ['4 days', 4 * DAY_MS, 2 * DAY_MS],
    ['3 days', 3 * DAY_MS, 1.5 * DAY_MS],
    ['24 hours', DAY_MS, DAY_MS / 2],
  ])('forces the refresh of a lease of %s at max(exp − 48 h, half its life)', (_name, life, forced) => {
    expect(untilForced(lease(life))).toBe(forced)
    expect(untilForced(lease(life, forced + 1))).toBe(-1)
  })

  test('jitter only shortens, a lease of 24 h is renewed every 12 h at most, and nothing comes before a minute', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 5 * MINUTE, max: 30 * DAY_MS }),
        fc.option(fc.record({ life: fc.integer({ min: MINUTE, max: 400 * DAY_MS }), spent: unit }), {
          nil: null,
        }),
        fc.boolean(),
        unit,
        unit,
        (interval, of, first, a, b) => {
          const held = of && lease(of.life, of.life * of.spent)
          const wait = untilRefresh({ interval, lease: held, first, random: [a, b] })
          expect(wait).toBeGreaterThanOrEqual(MINUTE)
          expect(wait).toBeLessThanOrEqual(Math.max(MINUTE, interval))
          if (held) expect(wait).toBeLessThanOrEqual(Math.max(MINUTE, held.life / 2))
          if (!first && !held) expect(wait).toBeGreaterThanOrEqual(interval * 0.9)
        },
      ),
    )
  })

  test('a lease of 24 h does not loop: it is asked for twice a day, and never in its last half', () => {
    let chance = { seed: 5 }
    let asked = 0
    let at = 0
    while (at < 10 * DAY_MS) {
      const one = draw(chance)
      const two = draw(one.chance)
      chance = two.chance
      const wait = untilRefresh({
        interval: DAY_MS,
        lease: lease(DAY_MS),
        first: asked === 0,
        random: [one.value, two.value],
      })
      expect(wait).toBeLessThanOrEqual(DAY_MS / 2)
      at += wait
      asked++
    }
    expect(asked).toBeGreaterThanOrEqual(20)
    expect(asked).toBeLessThanOrEqual(23)
  })

  test('10,000 clients started together: from the second day the busiest hour has at most 1.25 times the mean', () => {
    for (const [name, life, interval] of [
      ['daily, leases of 30 days', 30 * DAY_MS, DAY_MS],
      ['leases of 24 hours', DAY_MS, DAY_MS],
      ['heartbeats', null, 6 * HOUR],
    ] as const) {
      const days = 8
      const hours = new Array<number>(days * 24).fill(0)
      let chance = { seed: 20260301 }
      const random = () => {
        const { value, chance: next } = draw(chance)
        chance = next
        return value
      }
      for (let client = 0; client < 10_000; client++) {
        let at = 0
        for (let first = true; ; first = false) {
          const held = life === null ? null : lease(life)
          at += untilRefresh({ interval, lease: held, first, random: [random(), random()] })
          const hour = Math.floor(at / HOUR)
          if (hour >= hours.length) break
          hours[hour] = (hours[hour] ?? 0) + 1
        }
      }
      const later = hours.slice(24)
      const mean = later.reduce((sum, n) => sum + n, 0) / later.length
      const ratio = Math.max(...later) / mean
      const firstDay = Math.max(...hours.slice(0, 24)) / mean
      process.stdout.write(
        `schedule, ${name}: busiest hour ${ratio.toFixed(3)} × mean (first day ${firstDay.toFixed(3)})\n`,
      )
      expect(ratio).toBeLessThanOrEqual(1.25)
    }
  })
})

describe('a retry', () => {
  test('comes after 1 min to 1 h, with full jitter in a step that doubles', () => {
    expect(
      [1, 2, 3, 4, 5, 6, 7, 99].map((n) => untilRetry(n, null, 0.999_999) / MINUTE).map(Math.round),
    ).toEqual([2, 4, 8, 16, 32, 60, 60, 60])
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), unit, (failures, random) => {
        const wait = untilRetry(failures, null, random)
        expect(wait).toBeGreaterThanOrEqual(MINUTE)
        expect(wait).toBeLessThanOrEqual(HOUR)
      }),
    )
  })

  test.each([
    [null, 0],
    [-5, 0],
    [90_000, 90_000],
    [999_999_999_000, HOUR],
    [Number.POSITIVE_INFINITY, HOUR],
  ])('honours Retry-After up to an hour: %s ms → %i', (given, wait) => {
    expect(clampRetryAfter(given)).toBe(wait)
    expect(untilRetry(1, given, 0)).toBe(Math.max(MINUTE, wait))
  })
})

describe('an interval from the server', () => {
  test.each([
    [3600, HOUR],
    [1, 5 * MINUTE],
    [315_360_000, DAY_MS],
    [0, null],
    [-1, null],
    ['3600', null],
    [Number.NaN, null],
    [Number.POSITIVE_INFINITY, null],
    [undefined, null],
  ])('%s seconds counts as %s ms', (given, counted) => {
    expect(clampInterval(given)).toBe(counted)
  })
})
