import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findJsonFault, mayHoldJsonFault } from '../../../src/platform/json-faults.ts'

const nested = (depth: number, inside: unknown = 1): unknown =>
  depth === 0 ? inside : [nested(depth - 1, inside)]

describe('a value of JSON', () => {
  test.each([
    ['a\u0000b', '', 'U+0000 is not allowed'],
    [{ 'a/b~': 'x\ud800' }, '/a~1b~0', 'lone surrogate is not allowed'],
    [{ '\udfff': 1 }, '/\ufffd', 'lone surrogate is not allowed'],
    [nested(33), '/0'.repeat(32), 'nested deeper than 32'],
  ])('%j is refused', (value, pointer, message) => {
    expect(findJsonFault(value)).toEqual({ pointer, message })
  })

  test('as deep as may be, with any other text, is taken', () => {
    expect(findJsonFault(nested(32, 'a\ud83d\ude00\u0001'))).toBeNull()
  })
})

describe('the look at the text before the walk', () => {
  const spare = (text: string) => expect(mayHoldJsonFault(text))

  test.each([
    ['brackets within texts', JSON.stringify({ a: '['.repeat(100), '{{{': ['\\', '"[[[', '\\"]'] })],
    ['harmless escapes', '{"a":"\\u00e4\\n\\u0001"}'],
    ['many members side by side', JSON.stringify(Array.from({ length: 100 }, () => ({ a: [{}] })))],
    ['the deepest that is allowed', JSON.stringify(nested(32))],
  ])('spares it for %s', (_, text) => {
    spare(text).toBe(false)
  })

  test.each([
    ['closing brackets within texts', `${'["]",'.repeat(33)}1${']'.repeat(33)}`],
    ['texts that end in a backslash', `${'["\\\\",'.repeat(33)}1${']'.repeat(33)}`],
    ['texts that hold an escaped quote', `${'["\\"]",'.repeat(33)}1${']'.repeat(33)}`],
  ])('is not misled by %s', (_, text) => {
    expect(findJsonFault(JSON.parse(text))).not.toBeNull()
    spare(text).toBe(true)
  })

  test('never spares it for a value that is refused', () => {
    const part = fc.constantFrom('[', ']', '{', '}', '"', '\\', '\u0000', '\ud800', '\ud83d\ude00', 'a', ',')
    const text = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(''))
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ maxDepth: 40, depthSize: 'max' }, text, tie('list'), tie('record')),
      list: fc.array(tie('any'), { maxLength: 2 }),
      record: fc.dictionary(text, tie('any'), { maxKeys: 2 }),
    })).any
    const deep = fc
      .tuple(value, fc.integer({ min: 0, max: 34 }))
      .map(([inside, depth]) => nested(depth, inside))
    fc.assert(
      fc.property(fc.oneof(value, deep), (value) => {
        const json = JSON.stringify(value)
        if (!mayHoldJsonFault(json)) expect(findJsonFault(JSON.parse(json))).toBeNull()
      }),
      { numRuns: 2_000 },
    )
  })
})
