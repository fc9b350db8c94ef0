// Rule T5 line by line: tokens, and what each kind of request leads to.
import { createSecretKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { advanceLineage } from '../../src/domain/fleet/lineage.ts'
import {
  issueRefreshToken,
  LAST_N,
  randomFeatureToken,
  readRefreshToken,
} from '../../src/domain/fleet/refresh-token.ts'
import { chain, SCOPE, START } from '../support/lineage-chain.ts'
import { DAY, dice, HOUR, SECOND } from '../support/lineage-world.ts'

const KEY = SCOPE.key

describe('a refresh token', () => {
  const token = issueRefreshToken(SCOPE, { branch: 0xdeadbeef, n: 258 })

  test('is branch, n and a MAC: 32 bytes in lower-case hex', () => {
    expect(token).toMatch(/^deadbeef00000102[0-9a-f]{48}$/)
    expect(readRefreshToken(SCOPE, token)).toEqual({ branch: 0xdeadbeef, n: 258 })
  })

  test('reads the same under the key as bytes and as a key object', () => {
    expect(readRefreshToken({ ...SCOPE, key: createSecretKey(KEY) }, token)).not.toBeNull()
  })

  test('is worth nothing at another instance, product or key', () => {
    expect(readRefreshToken({ ...SCOPE, instanceId: 'node-2' }, token)).toBeNull()
    expect(readRefreshToken({ ...SCOPE, product: 'other' }, token)).toBeNull()
    expect(readRefreshToken({ ...SCOPE, key: new Uint8Array(32) }, token)).toBeNull()
  })

  test('cannot be moved by shifting a character from product to instance', () => {
    const shifted = { key: KEY, product: 'keldrisn', instanceId: 'ode-1' }
    expect(readRefreshToken(shifted, token)).toBeNull()
    expect(readRefreshToken({ key: KEY, product: 'a","b', instanceId: 'c' }, token)).toBeNull()
    const quoted = issueRefreshToken({ key: KEY, product: 'a","b', instanceId: 'c' }, { branch: 1, n: 1 })
    expect(readRefreshToken({ key: KEY, product: 'a', instanceId: 'b","c' }, quoted)).toBeNull()
  })

  test('does not survive the change of any one digit', () => {
    for (let i = 0; i < token.length; i++) {
      const digit = token[i] === '0' ? '1' : '0'
      expect(readRefreshToken(SCOPE, token.slice(0, i) + digit + token.slice(i + 1))).toBeNull()
    }
  })

  test.each(['', 'x', token.toUpperCase(), `${token}0`, token.slice(1), `${token.slice(0, 63)}\n`])(
    'is not read from %j',
    (text) => expect(readRefreshToken(SCOPE, text)).toBeNull(),
  )

  test('for an unproven request is 32 random bytes that are no token of a chain', () => {
    const feature = randomFeatureToken(dice(1).bytes)
    expect(feature).toMatch(/^[0-9a-f]{64}$/)
    expect(feature).not.toBe(randomFeatureToken(dice(2).bytes))
    expect(readRefreshToken(SCOPE, feature)).toBeNull()
  })
})

describe('the chain of an undisturbed instance', () => {
  test('begins without a token and advances by one each time', () => {
    const c = chain()
    const first = c.ask(0, undefined, 'a')
    expect(first).toMatchObject({ outcome: 'first', returned: false, cloned: false, cloneEvidence: null })
    expect(first.state.used).toBe(false)
    const second = c.ask(HOUR, first.nextToken, 'b')
    expect(second).toMatchObject({ outcome: 'advanced', returned: false })
    expect(second.state.used).toBe(true)
    expect(second.state.branches).toHaveLength(1)
    const [before, after] = [first, second].map((r) => readRefreshToken(SCOPE, r.nextToken))
    expect(before?.n).toBe(1)
    expect(after).toEqual({ branch: before?.branch, n: 2 })
  })

  test('stores no refresh id and no token', () => {
    const c = chain()
    const { nextToken } = c.ask(0, undefined, 'the-refresh-id')
    const stored = JSON.stringify(c.ask(HOUR, nextToken, 'the-refresh-id').state)
    expect(stored).not.toContain('the-refresh-id')
    expect(stored).not.toContain(nextToken.slice(16))
  })

  test('opens its branches at random numbers, never at one that is taken', () => {
    const same = () => new Uint8Array([0xff, 0xff, 0xff, 0xff])
    const first = advanceLineage(null, {}, SCOPE, new Date(START), same)
    const second = advanceLineage(first.state, {}, SCOPE, new Date(START), same)
    expect(second.state.branches.map((b) => b.id)).toEqual([0xffffffff, 0])
    expect(chain(1).ask(0).state.current).not.toBe(chain(2).ask(0).state.current)
  })
})

describe('the last token once more', () => {
  test.each([31 * SECOND, HOUR, 20 * DAY, 400 * DAY])(
    'gives the same successor to the same refresh id after %i ms',
    (delay) => {
      const c = chain()
      const { nextToken } = c.ask(0, undefined, 'a')
      const lost = c.ask(HOUR, nextToken, 'b')
      const again = c.ask(HOUR + delay, nextToken, 'b')
      expect(again).toMatchObject({ outcome: 'repeated', nextToken: lost.nextToken, returned: false })
      expect(again.state).toEqual(lost.state)
    },
  )

  test('gives the same successor without a refresh id, at any age', () => {
    const c = chain()
    const { nextToken } = c.ask(0)
    const lost = c.ask(HOUR, nextToken)
    expect(c.ask(90 * DAY, nextToken)).toMatchObject({ outcome: 'repeated', nextToken: lost.nextToken })
  })

  test('gives the same successor to a request whose refresh id was left out', () => {
    const c = chain()
    const { nextToken } = c.ask(0, undefined, 'a')
    const lost = c.ask(HOUR, nextToken, 'b')
    expect(c.ask(DAY, nextToken)).toMatchObject({ outcome: 'repeated', nextToken: lost.nextToken })
  })

  test.each([
    [0, 'repeated'],
    [30 * SECOND, 'repeated'],
    [30 * SECOND + 1, 'forked'],
    [-30 * SECOND, 'repeated'],
    [-30 * SECOND - 1, 'forked'],
  ])('under another refresh id, %i ms later, is %s', (delay, outcome) => {
    const c = chain()
    const { nextToken } = c.ask(0, undefined, 'a')
    c.ask(HOUR, nextToken, 'b')
    expect(c.ask(HOUR + delay, nextToken, 'c').outcome).toBe(outcome)
  })

  test('does not stretch the 30 s by being presented again', () => {
    const c = chain()
    const { nextToken } = c.ask(0, undefined, 'a')
    c.ask(HOUR, nextToken, 'b')
    c.ask(HOUR + 20 * SECOND, nextToken, 'c')
    expect(c.ask(HOUR + 40 * SECOND, nextToken, 'd').outcome).toBe('forked')
  })

  test('from ten at once gives ten times one successor, and one branch', () => {
    const c = chain()
    const { nextToken } = c.ask(0, undefined, 'a')
    const answers = Array.from({ length: 10 }, (_, i) => c.ask(HOUR + i, nextToken, `id ${i}`))
    expect(new Set(answers.map((a) => a.nextToken)).size).toBe(1)
    expect(c.state?.branches).toHaveLength(1)
  })
})

describe('a new branch', () => {
  test('is opened for an older token, which leaves the old branch as it was', () => {
    const c = chain()
    const old = c.ask(0, undefined, 'a').nextToken
    const newer = c.ask(HOUR, old, 'b').nextToken
    const { state } = c.ask(2 * HOUR, newer, 'c')
    const forked = c.ask(3 * HOUR, old, 'b')
    expect(forked).toMatchObject({ outcome: 'forked', returned: false })
    expect(forked.state.branches).toHaveLength(2)
    expect(forked.state.branches[0]).toEqual(state.branches[0])
    expect(forked.state.current).not.toBe(state.current)
    expect(readRefreshToken(SCOPE, forked.nextToken)).toEqual({ branch: forked.state.current, n: 1 })
  })

  test('is opened for a known instance without a token', () => {
    const c = chain()
    c.ask(0)
    expect(c.ask(HOUR)).toMatchObject({ outcome: 'no_token', returned: false })
    expect(c.state?.branches).toHaveLength(2)
  })

  test('does not undo that the instance has used a token', () => {
    const c = chain()
    c.ask(HOUR, c.ask(0).nextToken)
    expect(c.ask(2 * HOUR).state.used).toBe(true)
  })

  test.each([issueRefreshToken({ ...SCOPE, instanceId: 'other' }, { branch: 1, n: 1 }), 'nonsense', ''])(
    'is opened for a bad token: %s',
    (bad) => {
      const c = chain()
      expect(c.ask(0, bad)).toMatchObject({ outcome: 'bad_token', state: { used: false } })
      expect(c.ask(HOUR, bad).state.branches).toHaveLength(2)
    },
  )

  test('is opened when a branch has run out of numbers', () => {
    const c = chain()
    const { outcome, nextToken } = c.ask(0, issueRefreshToken(SCOPE, { branch: 5, n: LAST_N }), 'a')
    expect(outcome).toBe('forked')
    expect(readRefreshToken(SCOPE, nextToken)?.n).toBe(1)
  })
})

describe('a restored database', () => {
  test('accepts a token far above the last it remembers', () => {
    const c = chain()
    let { nextToken } = c.ask(0, undefined, 'a')
    const dump = c.state
    for (let i = 1; i < 9; i++) nextToken = c.ask(i * HOUR, nextToken, `${i}`).nextToken
    c.state = dump
    const after = c.ask(10 * HOUR, nextToken, 'z')
    expect(after).toMatchObject({ outcome: 'advanced', returned: false })
    expect(readRefreshToken(SCOPE, after.nextToken)?.n).toBe(10)
  })

  test.each([true, false])('adopts a branch that it does not know (row there: %s)', (rowThere) => {
    const c = chain()
    if (rowThere) c.ask(0, undefined, 'a')
    const adopted = c.ask(HOUR, issueRefreshToken(SCOPE, { branch: 77, n: 40 }), 'b')
    expect(adopted).toMatchObject({
      outcome: 'adopted',
      returned: rowThere,
      state: { current: 77, used: true },
    })
    expect(readRefreshToken(SCOPE, adopted.nextToken)).toEqual({ branch: 77, n: 41 })
  })
})
