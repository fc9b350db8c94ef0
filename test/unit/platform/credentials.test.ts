import { describe, expect, test } from 'vitest'
import {
  CREDENTIAL_PREFIXES,
  type CredentialKind,
  credentialKind,
  mintCredential,
  wellFormed,
} from '../../../src/platform/credentials.ts'

const KINDS = Object.keys(CREDENTIAL_PREFIXES) as CredentialKind[]

describe.each(KINDS)('a credential of kind %s', (kind) => {
  test('is well formed, told by its prefix, and shows only eight characters of itself', () => {
    const { secret, prefix } = mintCredential(kind)
    expect(wellFormed(kind, secret)).toBe(true)
    expect(credentialKind(secret)).toBe(kind)
    expect(secret.startsWith(prefix)).toBe(true)
    expect(prefix).toHaveLength(CREDENTIAL_PREFIXES[kind].length + 8)
    expect(secret).toMatch(/^(sk-|lit_|lrk_|lak_|lre_)[0-9A-Za-z]{49}$/)
  })

  test('is well formed as no other kind, even with its prefix exchanged', () => {
    const { secret } = mintCredential(kind)
    const rest = secret.slice(CREDENTIAL_PREFIXES[kind].length)
    for (const other of KINDS.filter((candidate) => candidate !== kind)) {
      expect(wellFormed(other, secret)).toBe(false)
      expect(wellFormed(other, CREDENTIAL_PREFIXES[other] + rest)).toBe(false)
    }
  })
})

describe('a credential with a fault', () => {
  const { secret } = mintCredential('api_key')

  test('any one character changed is found by the checksum', () => {
    for (let i = 3; i < secret.length; i++) {
      const other = secret[i] === 'x' ? 'y' : 'x'
      expect(wellFormed('api_key', secret.slice(0, i) + other + secret.slice(i + 1))).toBe(false)
    }
  })

  test.each([
    ['cut short', secret.slice(0, -1)],
    ['a character too long', `${secret}0`],
    ['followed by a line end', `${secret}\n`],
    ['with a character outside the alphabet', `sk-_${secret.slice(4)}`],
    ['empty', ''],
    ['its prefix alone', 'sk-'],
  ])('%s it is not well formed', (_, text) => {
    expect(wellFormed('api_key', text)).toBe(false)
  })
})

describe('minting', () => {
  test('uses all 32 random bytes and writes small numbers at full length', () => {
    const zero = mintCredential('api_key', (n) => new Uint8Array(n))
    expect(zero.secret.slice(0, 46)).toBe(`sk-${'0'.repeat(43)}`)
    const one = mintCredential('api_key', (n) => new Uint8Array(n).fill(1, 0, 1))
    expect(one.secret.slice(0, 46)).not.toBe(zero.secret.slice(0, 46))
    const most = mintCredential('api_key', (n) => new Uint8Array(n).fill(255))
    expect(wellFormed('api_key', most.secret)).toBe(true)
    expect(most.secret.slice(3, 4)).not.toBe('0')
  })

  test('the form does not change from one release to the next', () => {
    const { secret } = mintCredential('admin_key', (n) => Uint8Array.from({ length: n }, (_, i) => i))
    expect(secret).toBe('lak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlfKX28rV')
  })
})

describe('credentialKind', () => {
  test('takes three base64url parts that begin like a JOSE header for a JWT', () => {
    expect(credentialKind('eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJ4In0.c2ln')).toBe('jwt')
  })

  test.each(['', 'secret', 'eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJ4In0', 'a.b.c', 'SK-abc', 'Bearer sk-abc'])(
    'knows no kind for %j',
    (text) => {
      expect(credentialKind(text)).toBeNull()
    },
  )

  test('goes by the prefix alone, so that a mistyped key is named as what it should be', () => {
    expect(credentialKind('sk-mistyped')).toBe('api_key')
  })
})
