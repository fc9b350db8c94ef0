import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LAST_SECOND } from '../../../src/contract/claims.ts'
import { endOfLicenseKey, endOfSeat, nextLease } from '../../../src/license/lease.ts'
import { leaseTerm, licenseState } from '../../../src/license/state.ts'
import { NOW } from './fixtures.ts'

const DAY = 86_400

describe('the license state', () => {
  const term = { exp: NOW, graceDays: 2 }

  test.each([
    ['ACTIVE', NOW - 1],
    ['ACTIVE', NOW],
    ['GRACE', NOW + 1],
    ['GRACE', NOW + 2 * DAY - 1],
    ['GRACE', NOW + 2 * DAY],
    ['EXPIRED', NOW + 2 * DAY + 1],
  ])('is %s at %i', (state, now) => {
    expect(licenseState(term, now)).toBe(state)
  })

  test('goes from ACTIVE to EXPIRED at once without grace', () => {
    expect(licenseState({ exp: NOW, graceDays: 0 }, NOW)).toBe('ACTIVE')
    expect(licenseState({ exp: NOW, graceDays: 0 }, NOW + 1)).toBe('EXPIRED')
  })

  test('is ABSENT without a license, and ACTIVE for ever under a perpetual one', () => {
    expect(licenseState(null, NOW)).toBe('ABSENT')
    expect(licenseState({ exp: null, graceDays: 0 }, LAST_SECOND + 1)).toBe('ACTIVE')
  })

  test('is INVALID for a rejection, with or without a license', () => {
    expect(licenseState(null, NOW, 'bad signature')).toBe('INVALID')
    expect(licenseState(term, NOW, 'bad signature')).toBe('INVALID')
    expect(licenseState(term, NOW, null)).toBe('ACTIVE')
  })

  test('is EXPIRED under a clock that is no number', () => {
    expect(licenseState(term, Number.NaN)).toBe('EXPIRED')
  })
})

describe('a lease', () => {
  const terms = { tokenLife: DAY, licenseExp: NOW, graceDays: 3 }
  const end = NOW + 3 * DAY

  test.each([
    [
      'runs its whole life before the license ends',
      NOW - 5 * DAY,
      { past: false, exp: NOW - 4 * DAY, inGrace: false },
    ],
    ["is not in grace in the license's last second", NOW, { past: false, exp: NOW + DAY, inGrace: false }],
    ['is in grace one second later', NOW + 1, { past: false, exp: NOW + 1 + DAY, inGrace: true }],
    ['is cut at the end of grace', end - 60, { past: false, exp: end, inGrace: true }],
    ['is still issued in the last second of grace', end, { past: false, exp: end, inGrace: true }],
    ['is past one second later', end + 1, { past: true, endedAt: end }],
  ])('%s', (_, now, lease) => {
    expect(nextLease(terms, now)).toEqual(lease)
  })

  test('of a perpetual license always runs its whole life', () => {
    const perpetual = { ...terms, licenseExp: null }
    expect(nextLease(perpetual, NOW)).toEqual({ past: false, exp: NOW + DAY, inGrace: false })
  })

  test("of a license without grace is cut at the license's own end", () => {
    const graceless = { ...terms, graceDays: 0 }
    expect(nextLease(graceless, NOW - 60)).toEqual({ past: false, exp: NOW, inGrace: false })
    expect(nextLease(graceless, NOW + 1)).toEqual({ past: true, endedAt: NOW })
  })

  const anyTerms = fc.record({
    tokenLife: fc.integer({ min: 1, max: 90 * DAY }),
    licenseExp: fc.integer({ min: NOW - 400 * DAY, max: NOW + 400 * DAY }),
    graceDays: fc.nat(60),
  })

  test('never outlives license_exp + grace_days, nor does the seat it holds', () => {
    fc.assert(
      fc.property(anyTerms, (given) => {
        const last = given.licenseExp + given.graceDays * DAY
        const lease = nextLease(given, NOW)
        expect(lease.past).toBe(NOW > last)
        if (lease.past) return
        expect(lease.exp).toBeGreaterThanOrEqual(NOW)
        expect(lease.exp).toBeLessThanOrEqual(last)
        const seat = { exp: lease.exp, license_exp: given.licenseExp, grace_days: given.graceDays }
        expect(endOfSeat(seat)).toBeLessThanOrEqual(last)
        expect(endOfSeat(seat)).toBeGreaterThanOrEqual(lease.exp)
      }),
    )
  })

  test('is in grace exactly when the state says so, and EXPIRED one second after the end of its seat', () => {
    fc.assert(
      fc.property(anyTerms, (given) => {
        const lease = nextLease(given, NOW)
        fc.pre(!lease.past)
        const held = { exp: lease.exp, license_exp: given.licenseExp, grace_days: given.graceDays }
        expect(licenseState(leaseTerm(held), NOW)).toBe(lease.inGrace ? 'GRACE' : 'ACTIVE')
        const end = endOfSeat(held)
        expect(licenseState(leaseTerm(held), end)).not.toBe('EXPIRED')
        expect(licenseState(leaseTerm(held), end + 1)).toBe('EXPIRED')
      }),
    )
  })

  test('of a perpetual license holds its seat through exp + grace_days', () => {
    expect(endOfSeat({ exp: NOW, grace_days: 3 })).toBe(NOW + 3 * DAY)
  })
})

describe('a license key without the server', () => {
  const key = { offline: false, expires_at: NOW + 365 * DAY }
  const use = { firstUsedAt: NOW, confirmedAt: null, graceDays: 30 }

  test.each([
    ['holds 7 days from first use if never confirmed', key, use, NOW + 7 * DAY],
    ['holds no longer than the grace if that is shorter', key, { ...use, graceDays: 3 }, NOW + 3 * DAY],
    [
      'holds for the grace after its last confirmation',
      key,
      { ...use, confirmedAt: NOW + DAY },
      NOW + 31 * DAY,
    ],
    ['never holds past its own end and grace', { ...key, expires_at: NOW - 29 * DAY }, use, NOW + DAY],
    [
      'never holds past that when confirmed',
      { ...key, expires_at: NOW - 29 * DAY },
      { ...use, confirmedAt: NOW },
      NOW + DAY,
    ],
    ['minted offline is its own lease', { ...key, offline: true }, use, NOW + 395 * DAY],
  ])('%s', (_, given, remembered, end) => {
    expect(endOfLicenseKey(given, remembered)).toBe(end)
  })
})
