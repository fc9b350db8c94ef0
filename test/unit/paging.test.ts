import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeCursor, encodeCursor, pageOf, TIME_PART, UUID_PART } from '../../src/domain/kernel/paging.ts'

const uuid = '019b76da-a800-7000-8000-0123456789ab'

describe('a cursor', () => {
  test('gives back the position that it was made of', () => {
    expect(decodeCursor(encodeCursor(['1767225600000', uuid]), TIME_PART, UUID_PART)).toEqual([
      '1767225600000',
      uuid,
    ])
  })

  test('goes into a URL as it is', () => {
    expect(encodeCursor(['1767225600000', uuid])).toMatch(/^[A-Za-z0-9_-]+$/)
  })

  test.each([
    ['of a list with another key', encodeCursor([uuid])],
    ['with its parts the other way round', encodeCursor([uuid, '1767225600000'])],
    ['with a part too many', encodeCursor(['1767225600000', uuid, uuid])],
    ['with SQL in it', encodeCursor(['1767225600000', "' or true --"])],
    [
      'with a number in place of a text',
      Buffer.from(JSON.stringify([1767225600000, uuid])).toString('base64url'),
    ],
    ['that is not JSON', 'bm90IEpTT04'],
    ['with a year past 9999', encodeCursor(['253400000000000', uuid])],
    ['that is an object', Buffer.from('{"length":2}').toString('base64url')],
  ])('%s is refused', (_, text) => {
    expect(() => decodeCursor(text, TIME_PART, UUID_PART)).toThrow('not a cursor of this list')
  })

  test('no text whatever makes it fail in another way', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          decodeCursor(text, TIME_PART, UUID_PART)
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_request' })
        }
      }),
    )
  })
})

describe('pageOf', () => {
  const rows = [{ id: 'c' }, { id: 'b' }, { id: 'a' }]
  const position = (row: { id: string }) => [row.id]

  test('one row more than the limit means that there is a next page, which begins after the last row shown', () => {
    const page = pageOf(rows, 2, position)
    expect(page.items).toEqual([{ id: 'c' }, { id: 'b' }])
    expect(decodeCursor(page.next ?? '', /^.$/)).toEqual(['b'])
  })

  test('as many rows as the limit, or none, are the last page', () => {
    expect(pageOf(rows, 3, position)).toEqual({ items: rows, next: null })
    expect(pageOf([], 3, position)).toEqual({ items: [], next: null })
  })
})
