import { describe, expect, test } from 'vitest'
import { randomBytes } from '../../../src/platform/random.ts'
import { open, seal } from '../../../src/platform/seal.ts'

const key = randomBytes(32)
const secret = new TextEncoder().encode('a private key')
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

describe('a sealed secret', () => {
  test('opens with the same key for the same row', () => {
    expect(open(key, 'keldris/k1/jws', seal(key, 'keldris/k1/jws', secret))).toEqual(secret)
    expect(open(key, '', seal(key, '', new Uint8Array()))).toEqual(new Uint8Array())
  })

  test('is written in its version, nonce and body, and never twice the same', () => {
    const sealed = seal(key, 'row', secret)
    expect(sealed).toMatch(/^v1\.[\w-]{16}\.[\w-]+$/)
    expect(seal(key, 'row', secret)).not.toBe(sealed)
    expect(Buffer.from(sealed.split('.')[2] ?? '', 'base64url').includes('private')).toBe(false)
  })

  test('does not open with another key', () => {
    expect(open(randomBytes(32), 'row', seal(key, 'row', secret))).toBeNull()
  })

  test('does not open in another row', () => {
    expect(open(key, 'keldris/k1/raw', seal(key, 'keldris/k1/jws', secret))).toBeNull()
  })

  test('does not open when any one character was changed', () => {
    const sealed = seal(key, 'row', secret)
    for (let i = 0; i < sealed.length; i++) {
      const at = ALPHABET.indexOf(sealed.charAt(i))
      const other = ALPHABET.charAt((at + 1) % ALPHABET.length)
      expect(open(key, 'row', sealed.slice(0, i) + other + sealed.slice(i + 1)), `character ${i}`).toBeNull()
    }
  })

  test.each([
    ['nothing', ''],
    ['other text', 'secret'],
    ['another version', 'v2.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA'],
    ['a short nonce', 'v1.AAAA.AAAAAAAAAAAAAAAAAAAAAA'],
    ['a tag cut short', 'v1.AAAAAAAAAAAAAAAA.AAAAAAAA'],
    ['a part too many', `${seal(key, 'row', secret)}.AAAA`],
    ['padding', `${seal(key, 'row', secret)}=`],
  ])('%s does not open', (_, text) => {
    expect(open(key, 'row', text)).toBeNull()
  })

  test('a master key of another length is a fault of the program', () => {
    expect(() => seal(new Uint8Array(16), 'row', secret)).toThrow(RangeError)
    expect(() => open(new Uint8Array(33), 'row', 'v1.AA.AA')).toThrow(RangeError)
  })
})
