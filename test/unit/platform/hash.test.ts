import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { constantTimeEqual, hmacSha256, sha256Hex } from '../../../src/platform/hash.ts'
import { randomBytes, randomHex } from '../../../src/platform/random.ts'

describe('sha256Hex', () => {
  test('gives the digest of FIPS 180 for text and for bytes', () => {
    const expected = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    expect(sha256Hex('abc')).toBe(expected)
    expect(sha256Hex(new TextEncoder().encode('abc'))).toBe(expected)
  })
})

describe('hmacSha256', () => {
  const key = new Uint8Array(32).fill(7)

  test('is HMAC-SHA-256 over the parts as a JSON array, which can be computed anywhere', () => {
    const expected = createHmac('sha256', key).update('["api_key","sk-1"]').digest('hex')
    expect(hmacSha256(key, 'api_key', 'sk-1')).toBe(expected)
  })

  test('differs by purpose, by key and by where one part ends and the next begins', () => {
    const digests = [
      hmacSha256(key, 'api_key', 'x'),
      hmacSha256(key, 'admin_key', 'x'),
      hmacSha256(new Uint8Array(32), 'api_key', 'x'),
      hmacSha256(key, 'api_keyx'),
      hmacSha256(key, 'api_key', 'x', ''),
      hmacSha256(key, 'api_key","x'),
    ]
    expect(new Set(digests).size).toBe(digests.length)
  })
})

describe('constantTimeEqual', () => {
  test('agrees with === on equal, different and unequally long texts', () => {
    expect(constantTimeEqual('abc', 'abc')).toBe(true)
    expect(constantTimeEqual('', '')).toBe(true)
    expect(constantTimeEqual('abc', 'abd')).toBe(false)
    expect(constantTimeEqual('abc', 'abcd')).toBe(false)
    expect(constantTimeEqual('\ud800', '\udfff')).toBe(false)
  })
})

describe('random', () => {
  test('gives as many bytes as asked for, other ones each time', () => {
    expect(randomBytes(12)).toHaveLength(12)
    expect(randomHex(16)).toMatch(/^[0-9a-f]{32}$/)
    expect(randomHex(16)).not.toBe(randomHex(16))
  })
})
