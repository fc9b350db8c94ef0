// When copies show, and the bound on what is stored (T5).
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readLineageState, withReturn } from '../../src/domain/fleet/lineage-state.ts'
import { issueRefreshToken, readRefreshToken } from '../../src/domain/fleet/refresh-token.ts'
import { chain, SCOPE } from '../support/lineage-chain.ts'
import { DAY, HOUR, MINUTE } from '../support/lineage-world.ts'

/** Two copies that take turns, at the given times; the second is the copy. Tells when the clone was found. */
function takeTurns(times: readonly number[], c = chain()): number | null {
  const held = [c.ask(-HOUR, undefined, 'start').nextToken]
  held.push(held[0] ?? '')
  for (const [i, at] of times.entries()) {
    const { nextToken, cloned } = c.ask(at, held[i % 2], `request ${i}`)
    held[i % 2] = nextToken
    if (cloned) return at
  }
  return null
}

describe('instance_cloned', () => {
  // The first two turns part the copies; the next six are the returns.
  const turns = (...gaps: number[]) => gaps.map((_, i) => gaps.slice(0, i + 1).reduce((a, b) => a + b, 0))

  test('is raised at the third return of the second branch', () => {
    const times = turns(...Array.from({ length: 12 }, () => 12 * HOUR))
    expect(takeTurns(times)).toBe(times[7])
  })

  test('waits until both have been returning for 24 h', () => {
    const times = turns(...Array.from({ length: 40 }, () => 3 * HOUR))
    const found = takeTurns(times)
    // The second branch first returned at the fourth turn.
    expect(found).toBe((times[3] ?? 0) + 24 * HOUR + 3 * HOUR)
  })

  test('is not raised over returns that are not within 7 days of each other', () => {
    const atMost7Days = turns(HOUR, HOUR, ...Array.from({ length: 6 }, () => 33 * HOUR + 36 * MINUTE))
    expect(takeTurns(atMost7Days)).toBe(atMost7Days[7])
    const more = turns(HOUR, HOUR, ...Array.from({ length: 30 }, () => 43 * HOUR))
    expect(takeTurns(more)).toBeNull()
  })

  test('is not raised over two disturbances a day apart that share one branch', () => {
    const c = chain()
    const shared = c.ask(0, undefined, 'x').nextToken
    const row = [shared]
    const dispute = (start: number, a: number, b: number) => {
      row[b] = row[a] ?? ''
      for (let i = 0; i < 12; i++) {
        const who = i % 2 ? b : a
        const { nextToken, cloned } = c.ask(start + i * 5 * MINUTE, row[who], `${start} ${i}`)
        row[who] = nextToken
        expect(cloned).toBe(false)
      }
    }
    dispute(HOUR, 0, 1)
    dispute(25 * HOUR, 1, 2)
    dispute(49 * HOUR, 2, 3)
  })

  test('shows both branches, small and without anything secret', () => {
    const c = chain()
    takeTurns(turns(...Array.from({ length: 8 }, () => 12 * HOUR)), c)
    const [older, copy] = c.state?.branches ?? []
    const again = c.ask(200 * HOUR, issueRefreshToken(SCOPE, { branch: older?.id ?? 0, n: 9 }), 'last')
    expect(again.cloneEvidence).toEqual({
      branches: [
        {
          branch: older?.id.toString(16).padStart(8, '0'),
          returns: 4,
          first_return: '2026-03-02T12:00:00Z',
          last_return: '2026-03-09T08:00:00Z',
        },
        {
          branch: copy?.id.toString(16).padStart(8, '0'),
          returns: 3,
          first_return: '2026-03-03T00:00:00Z',
          last_return: '2026-03-05T00:00:00Z',
        },
      ],
      branches_known: 2,
    })
  })

  test('is raised over more copies than there are places, though they take turns in one order', () => {
    const c = chain()
    const first = c.ask(0, undefined, 'start').nextToken
    const held = Array.from({ length: 12 }, () => first)
    const found: number[] = []
    for (let round = 1; round <= 28; round++) {
      for (const [i, token] of held.entries()) {
        const at = round * 6 * HOUR + i * 5 * MINUTE
        const { nextToken, cloned } = c.ask(at, token, `${round} ${i}`)
        held[i] = nextToken
        if (cloned) found.push(at)
      }
    }
    expect(found[0]).toBeLessThan(3 * DAY)
  })

  test('is raised by a return only, so a clone that stopped accuses nobody any more', () => {
    const c = chain()
    const found = takeTurns(turns(...Array.from({ length: 8 }, () => 12 * HOUR)), c) ?? 0
    const current = c.state?.branches.find((b) => b.id === c.state?.current)
    const token = issueRefreshToken(SCOPE, { branch: current?.id ?? 0, n: (current?.n ?? 0) + 1 })
    expect(c.ask(found + HOUR, token, 'alone')).toMatchObject({ outcome: 'advanced', cloned: false })
  })
})

describe('what is stored', () => {
  test('stays small whatever a client does, for ever', () => {
    const request = fc.record({
      wait: fc.integer({ min: 0, max: 12 * 60 }),
      who: fc.integer({ min: 0, max: 11 }),
      token: fc.constantFrom('own', 'own', 'own', 'first', 'none', 'bad'),
      id: fc.constantFrom('new', 'same', 'none'),
    })
    fc.assert(
      fc.property(fc.array(request, { minLength: 50, maxLength: 400 }), fc.integer(), (requests, seed) => {
        const c = chain(seed)
        const first = c.ask(0).nextToken
        const held = Array.from({ length: 12 }, () => first)
        let at = 0
        for (const [i, { wait, who, token, id }] of requests.entries()) {
          at += wait * MINUTE
          const presented = { own: held[who], first, none: undefined, bad: 'f'.repeat(64) }[token]
          const { state, nextToken } = c.ask(at, presented, { new: `${i}`, same: 'x', none: undefined }[id])
          held[who] = nextToken
          expect(readRefreshToken(SCOPE, nextToken)?.branch).toBe(state.current)
          expect(state.branches.some((b) => b.id === state.current)).toBe(true)
          expect(state.branches.length).toBeLessThanOrEqual(8)
          for (const { returns } of state.branches) expect(returns.length).toBeLessThanOrEqual(18)
        }
        expect(JSON.stringify(c.state).length).toBeLessThan(4096)
      }),
      { numRuns: 40 },
    )
  })

  test('holds at most 18 returns of two copies that take turns every ten minutes for nine days', () => {
    const c = chain()
    const held = [c.ask(0).nextToken]
    held.push(held[0] ?? '')
    let most = 0
    for (let i = 0; i < 9 * 24 * 6; i++) {
      held[i % 2] = c.ask(i * 10 * MINUTE, held[i % 2], `${i}`).nextToken
      most = Math.max(most, ...(c.state?.branches.map((b) => b.returns.length) ?? []))
    }
    expect(most).toBeGreaterThan(14)
    expect(most).toBeLessThanOrEqual(18)
  })

  test('is the newest three returns of a branch, and of older ones one each 12 h', () => {
    const hours = [0, 1, 2, 3, 4, 14, 15, 16, 17]
    const kept = hours.reduce<number[]>((returns, hour) => withReturn(returns, hour * HOUR), [])
    expect(kept.map((t) => t / HOUR)).toEqual([0, 14, 15, 16, 17])
  })

  test('forgets the longest unused of the branches that never returned', () => {
    const c = chain()
    const opened = Array.from({ length: 9 }, (_, i) => c.ask(i * HOUR).state.current)
    expect(c.state?.branches.map((b) => b.id).sort()).toEqual(opened.slice(1).sort())
  })

  test('keeps the branches that returned, however many others are opened', () => {
    const c = chain()
    const held = [c.ask(0).nextToken]
    held.push(c.ask(HOUR, held[0], 'a').nextToken)
    const main = c.state?.current
    c.ask(2 * HOUR)
    expect(c.ask(3 * HOUR, held[1], 'b').returned).toBe(true)
    for (let i = 0; i < 40; i++) c.ask(4 * HOUR + i * MINUTE)
    expect(c.state?.branches.some((b) => b.id === main)).toBe(true)
  })

  test.each([
    [null],
    [undefined],
    [7],
    ['text'],
    [[]],
    [{}],
    { current: 1, used: true, branches: [{}] },
    { current: 1, used: 1, branches: [] },
    {
      current: 1,
      used: true,
      branches: Array(9).fill({ id: 1, n: 1, refresh_id_hash: null, used_at: 1, returns: [] }),
    },
    {
      current: 1,
      used: true,
      branches: [{ id: 1, n: 1, refresh_id_hash: null, used_at: 1, returns: ['x'] }],
    },
  ])('counts as nothing when it cannot be read: %j', (value) => {
    expect(readLineageState(value)).toBeNull()
  })
})

describe('a clock that was wrong', () => {
  test('leaves no returns in the future to count later', () => {
    const c = chain()
    const ahead = 30 * DAY
    takeTurns([ahead, ahead + HOUR, ...[3, 15, 27, 39].map((h) => ahead + h * HOUR)], c)
    expect(c.state?.branches.every((b) => b.returns.length === 2)).toBe(true)
    c.ask(HOUR)
    expect(c.state?.branches.every((b) => b.returns.length === 0)).toBe(true)
  })
})
