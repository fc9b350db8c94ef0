import { describe, expect, test } from 'vitest'
import {
  artefactCountMessage,
  capMessage,
  capReachedBody,
  retentionMessage,
  revokedReason,
  type Standing,
  stateMessage,
} from '../../../src/license/messages.ts'
import { NOW } from './fixtures.ts'

const DAY = 86_400
const reached = { limit: 'max_apps', current: 41, cap: 3 }
const expired = (days: number, graceDays: number) => ({ exp: NOW - days * DAY, graceDays })

const ABSENT: Standing = { state: 'ABSENT', term: null, now: NOW }
const ACTIVE: Standing = { state: 'ACTIVE', term: { exp: NOW + DAY, graceDays: 0 }, now: NOW }
const GRACE: Standing = { state: 'GRACE', term: expired(5, 30), now: NOW }
const EXPIRED: Standing = { state: 'EXPIRED', term: expired(60, 30), now: NOW }
const INVALID: Standing = { state: 'INVALID', term: null, invalidReason: 'bad signature', now: NOW }

describe('a reached cap is explained', () => {
  test.each([
    [
      ABSENT,
      'No license installed: default tier applies (cap = 3 for max_apps). Install a license to raise this.',
    ],
    [ACTIVE, 'License cap reached: max_apps = 3. Current usage is 41. Contact your vendor to raise the cap.'],
    [
      GRACE,
      'License expired 5 day(s) ago and is in its grace period (ends in 25 days). Cap unchanged at 3. Renew before grace ends.',
    ],
    [
      EXPIRED,
      'License expired 60 days ago: system reverted to default tier (cap = 3 for max_apps). Current usage is 41. Renew the license to lift the cap.',
    ],
    [
      INVALID,
      'License rejected (bad signature): default tier applies (cap = 3 for max_apps). Fix the license to raise this.',
    ],
  ])('in $state', (standing, message) => {
    expect(capMessage(standing, reached)).toBe(message)
    expect(JSON.stringify(capReachedBody(standing, reached))).toBe(
      `{"error":"license cap reached","limit":"max_apps","current":41,"cap":3,"state":"${standing.state}","message":${JSON.stringify(message)}}`,
    )
  })

  test.each([
    [1, 0, 30],
    [DAY - 1, 0, 30],
    [DAY, 1, 29],
    [30 * DAY - 1, 29, 1],
    [30 * DAY, 30, 0],
  ])('%i s after its end in whole days: %i ago, %i to go', (seconds, ago, left) => {
    const standing = { ...GRACE, term: { exp: NOW - seconds, graceDays: 30 } }
    expect(capMessage(standing, reached)).toContain(`expired ${ago} day(s) ago`)
    expect(capMessage(standing, reached)).toContain(`(ends in ${left} days)`)
    expect(capMessage({ ...standing, state: 'EXPIRED' }, reached)).toContain(`expired ${ago} days ago`)
  })

  test('without a reason as of an unknown one', () => {
    expect(capMessage({ ...INVALID, invalidReason: null }, reached)).toMatch(
      /^License rejected \(unknown reason\):/,
    )
  })
})

test.each([
  [ABSENT, 'No license installed: default tier applies. Install a license to raise its caps.'],
  [ACTIVE, null],
  [
    GRACE,
    'License expired 5 day(s) ago and is in its grace period (ends in 25 days). Caps unchanged. Renew before grace ends.',
  ],
  [
    EXPIRED,
    'License expired 60 days ago: system reverted to default tier. Renew the license to lift the caps.',
  ],
  [INVALID, 'License rejected (bad signature): default tier applies. Fix the license to raise its caps.'],
])('the standing alone is explained in $state', (standing, message) => {
  expect(stateMessage(standing)).toBe(message)
})

test('a retention and a count over their caps are refused in the words of the reference', () => {
  expect(retentionMessage('logRetentionDays', 30, 7)).toBe(
    'retention logRetentionDays=30 exceeds license cap 7',
  )
  expect(artefactCountMessage(9, 3)).toBe('jarRetentionCount 9 exceeds license cap 3')
})

test('a revoked license says when, to the second', () => {
  expect(revokedReason(NOW)).toBe('license revoked at 2027-01-15T08:00:00Z')
})
