import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ID_PREFIXES,
  type IdPrefix,
  instanceKey,
  parsePublicId,
  publicId,
  uuidv7,
} from '../../../src/platform/ids.ts'

const NOW = new Date('2026-01-01T00:00:00.000Z')

describe('uuidv7', () => {
  test('carries the milliseconds, the version and the variant of RFC 9562', () => {
    // The timestamp of the RFC's own example, appendix A.6.
    const id = uuidv7(new Date(0x017f22e279b0))
    expect(id).toMatch(/^017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  test('places every random bit where the RFC wants it', () => {
    const allOnes = (n: number) => new Uint8Array(n).fill(0xff)
    expect(uuidv7(new Date(1), allOnes)).toBe('00000000-0001-77ff-bfff-ffffffffffff')
  })

  test('ten thousand ids of one millisecond are distinct and rise in the order they were made', () => {
    const ids = Array.from({ length: 10_000 }, () => uuidv7(NOW))
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.toSorted()).toEqual(ids)
  })

  test('the order within a millisecond holds when the random part is as high as it can be', () => {
    const allOnes = (n: number) => new Uint8Array(n).fill(0xff)
    const ids = Array.from({ length: 100 }, () => uuidv7(new Date(2), allOnes))
    expect(ids.toSorted()).toEqual(ids)
    expect(ids.every((id) => /^00000000-0002-7[0-9a-f]{3}-[89ab]/.test(id))).toBe(true)
  })

  test('a later millisecond gives a higher id', () => {
    expect(uuidv7(NOW) < uuidv7(new Date(NOW.getTime() + 1))).toBe(true)
  })

  test('a date that does not fit is refused', () => {
    expect(() => uuidv7(new Date(-1))).toThrow(RangeError)
    expect(() => uuidv7(new Date(Number.NaN))).toThrow(RangeError)
  })
})

describe('public ids', () => {
  const uuid = '019b76da-a800-7000-8000-0123456789ab'

  test('show the kind and 32 hex digits', () => {
    expect(publicId('lic', uuid.toUpperCase())).toBe('lic_019b76daa800700080000123456789ab')
  })

  test('the three credentials of a license are told apart by their prefix', () => {
    expect([publicId('key', uuid), publicId('lk', uuid), publicId('sjw', uuid)]).toEqual([
      'key_019b76daa800700080000123456789ab',
      'lk_019b76daa800700080000123456789ab',
      'sjw_019b76daa800700080000123456789ab',
    ])
  })

  test('every kind reads back its own ids and no other kind reads them', () => {
    const kinds = Object.keys(ID_PREFIXES) as IdPrefix[]
    for (const made of kinds) {
      for (const read of kinds) {
        expect(parsePublicId(read, publicId(made, uuid))).toBe(read === made ? uuid : null)
      }
    }
  })

  test.each([
    ['a dashed UUID', `lic_${uuid}`],
    ['upper case', 'lic_019B76DAA800700080000123456789AB'],
    ['a digit too few', 'lic_019b76daa80070008000012345678'],
    ['a line end', 'lic_019b76daa800700080000123456789ab\n'],
    ['no prefix', '019b76daa800700080000123456789ab'],
  ])('%s is not a public id', (_, text) => {
    expect(parsePublicId('lic', text)).toBeNull()
  })

  test('what is not a UUID gets no public id', () => {
    expect(() => publicId('lic', 'licence')).toThrow(TypeError)
  })
})

describe('instanceKey', () => {
  test('is the same on every server, for ever', () => {
    expect(instanceKey('keldris', 'instance-1')).toBe('7d5e8aa1-2df6-8f2f-86b4-22e32128ad8b')
  })

  test('is a UUID of version 8', () => {
    expect(instanceKey('keldris', 'x')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    )
  })

  test('different pairs have different keys, however they are cut', () => {
    const text = fc.string({ unit: 'binary', maxLength: 6 })
    fc.assert(
      fc.property(text, text, text, text, (a, b, c, d) => {
        expect(instanceKey(a, b) === instanceKey(c, d)).toBe(a === c && b === d)
      }),
    )
    expect(instanceKey('ab', 'c')).not.toBe(instanceKey('a', 'bc'))
    expect(instanceKey('a","b', 'c')).not.toBe(instanceKey('a', 'b","c'))
    expect(instanceKey('a', '\ud800')).not.toBe(instanceKey('a', '\udfff'))
  })
})
