import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBase64, decodeBase64url, encodeBase64, encodeBase64url } from '../../../src/license/base64.ts'

const FORMS = [
  { name: 'base64url', buffer: 'base64url', encode: encodeBase64url, decode: decodeBase64url },
  { name: 'base64', buffer: 'base64', encode: encodeBase64, decode: decodeBase64 },
] as const

describe.each(FORMS)('strict $name', ({ buffer, encode, decode }) => {
  test('encodes as Node does and decodes back to the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = encode(bytes)
        expect(text).toBe(Buffer.from(bytes).toString(buffer))
        expect(decode(text)).toEqual(new Uint8Array(bytes))
      }),
    )
  })

  test('accepts a text exactly when encoding its bytes gives that text again', () => {
    const alphabet = fc.constantFrom(...'ABCDEFwxyz0189+/-_= \n.é')
    fc.assert(
      fc.property(fc.string({ unit: alphabet, maxLength: 8 }), (text) => {
        const canonical = Buffer.from(text, buffer).toString(buffer) === text
        expect(decode(text) !== null).toBe(canonical)
      }),
      { numRuns: 5000 },
    )
  })
})

test.each([
  ['AA', 'AB', 'left-over bits'],
  ['AAA', 'AAB', 'left-over bits'],
  ['AAAA', 'AAAA=', 'padding'],
  ['AA', 'AA==', 'padding'],
  ['__8', '//8', 'the other alphabet'],
  ['AAAA', 'AAAAA', 'a lone character'],
  ['AAAA', 'AA AA', 'white space'],
])('base64url takes %s and refuses %s: %s', (good, bad) => {
  expect(decodeBase64url(good)).not.toBeNull()
  expect(decodeBase64url(bad)).toBeNull()
})

test.each([
  ['AA==', 'AA', 'missing padding'],
  ['AA==', 'AB==', 'left-over bits'],
  ['//8=', '__8=', 'the other alphabet'],
  ['AAA=', 'AAA==', 'too much padding'],
  ['AAAA', 'AAAA====', 'only padding'],
  ['AA==', 'A===', 'a lone character'],
])('base64 takes %s and refuses %s: %s', (good, bad) => {
  expect(decodeBase64(good)).not.toBeNull()
  expect(decodeBase64(bad)).toBeNull()
})
