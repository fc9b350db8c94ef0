import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LICENSE_TYP } from '../../../src/contract/claims.ts'
import { type JwsExpectation, verifyJws } from '../../../src/license/jws.ts'
import { trustKeys } from '../../../src/license/trusted-keys.ts'
import { licenseClaims, makePair, NOW, nodeJws, nodeRaw, trust } from './fixtures.ts'

const pair = makePair()
const foreign = makePair()
const key = await trust(pair, { use: 'license' })
const header = { alg: 'EdDSA', typ: LICENSE_TYP, kid: key.kid }
const good = nodeJws(pair, header, licenseClaims)
const expected: JwsExpectation = {
  typ: LICENSE_TYP,
  product: 'keldris',
  keys: trustKeys([key]),
  acceptRetired: false,
}
const reason = async (token: string, changes: Partial<JwsExpectation> = {}) => {
  const result = await verifyJws(token, { ...expected, ...changes })
  return result.ok ? 'ok' : result.reason
}
const b64 = (text: string) => Buffer.from(text).toString('base64url')
const [goodHeader = '', goodPayload = '', goodSignature = ''] = good.split('.')

describe('a compact JWS', () => {
  test('verifies under its key and gives its payload and header', async () => {
    expect(await verifyJws(good, expected)).toEqual({ ok: true, payload: licenseClaims, header, key })
  })

  test('does not verify with any one character changed, removed or added', async () => {
    const character = fc.constantFrom(...'ABYZaz059-_.=+/ \né')
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.length - 1),
        character,
        fc.constantFrom(0, 1),
        async (at, instead, removed) => {
          const changed = good.slice(0, at) + instead + good.slice(at + removed)
          fc.pre(changed !== good)
          expect(await reason(changed)).not.toBe('ok')
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('never throws, whatever the text', async () => {
    const part = fc.oneof(fc.string(), fc.base64String(), fc.json().map(b64))
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
        expect(await reason(parts.join('.'))).not.toBe('ok')
      }),
    )
  })

  test.each([
    ['wrong_form', ''],
    ['wrong_form', `${goodHeader}.${goodPayload}`],
    ['wrong_form', `${good}.`],
    ['wrong_form', `${good}.${goodSignature}`],
    ['wrong_form', `${goodHeader}..${goodSignature}`],
    ['wrong_form', `${goodHeader}.${goodPayload}.`],
    ['wrong_form', ` ${good}`],
    ['wrong_form', nodeJws(pair, ` ${JSON.stringify(header)}`, licenseClaims)],
    ['bad_encoding', `${good}=`],
    ['bad_encoding', `${good}\n`],
    [
      'bad_encoding',
      `${goodHeader}.${goodPayload}.${goodSignature.slice(0, -1)}${nonCanonical(goodSignature)}`,
    ],
    ['bad_signature', `${goodHeader}.${goodPayload}.${goodSignature.slice(0, -2)}`],
    ['bad_signature', `${goodHeader}.${goodPayload}.${b64('\0'.repeat(64))}`],
    ['too_large', `${good}${'A'.repeat(65_536)}`],
  ])('is refused as %s: %.80s', async (why, token) => {
    expect(await reason(token)).toBe(why)
  })

  test('is refused when it is not text at all', async () => {
    for (const value of [undefined, null, 1, {}, [good]])
      expect(await reason(value as never)).toBe('wrong_form')
  })
})

/** The last character of 64 bytes in base64url carries two bits: this one also sets a bit that carries none. */
function nonCanonical(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return alphabet[alphabet.indexOf(text.slice(-1)) + 1] ?? ''
}

describe('a header', () => {
  test.each(['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'crit', 'b64'])(
    'with %s is refused, whatever stands there, though the signature holds',
    async (name) => {
      for (const value of [null, '', true, [], ['exp'], { kty: 'OKP', crv: 'Ed25519', x: foreign.x }]) {
        expect(await reason(nodeJws(pair, { ...header, [name]: value }, licenseClaims))).toBe(
          'forbidden_header',
        )
      }
    },
  )

  test.each(['none', 'HS256', 'Ed25519', 'eddsa', 'EDDSA', 'ES256', '', null, 1, ['EdDSA']])(
    'with alg %j is refused',
    async (alg) => {
      expect(await reason(nodeJws(pair, { ...header, alg }, licenseClaims))).toBe('wrong_alg')
    },
  )

  test.each([
    'JWT',
    'leasehold-directive+jwt',
    'leasehold-keys+jwt',
    `application/${LICENSE_TYP}`,
    LICENSE_TYP.toUpperCase(),
    null,
    '',
  ])('with typ %j is refused', async (typ) => {
    expect(await reason(nodeJws(pair, { ...header, typ }, licenseClaims))).toBe('wrong_typ')
  })

  test.each([
    ['wrong_alg', { typ: LICENSE_TYP, kid: key.kid }],
    ['wrong_typ', { alg: 'EdDSA', kid: key.kid }],
    ['bad_header', { alg: 'EdDSA', typ: LICENSE_TYP }],
    ['bad_header', { ...header, kid: '' }],
    ['bad_header', { ...header, kid: [key.kid] }],
    ['unknown_key', { ...header, kid: 'other' }],
    ['unknown_key', { ...header, kid: '__proto__' }],
    ['bad_header', '{"alg":'],
    ['duplicate_member', `{"alg":"none",${JSON.stringify(header).slice(1)}`],
    ['duplicate_member', `{"kid":"x",${JSON.stringify(header).slice(1)}`],
    ['duplicate_member', `{"\\u0061lg":"EdDSA",${JSON.stringify(header).slice(1)}`],
  ])('is refused as %s: %j', async (why, changed) => {
    expect(await reason(nodeJws(pair, changed, licenseClaims))).toBe(why)
  })

  test('with a key of its own does not bring that key into trust', async () => {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: foreign.x }
    expect(await reason(nodeJws(foreign, { ...header, jwk }, licenseClaims))).toBe('forbidden_header')
    expect(await reason(nodeJws(foreign, header, licenseClaims))).toBe('bad_signature')
  })
})

describe('a key', () => {
  const under = async (role: Parameters<typeof trust>[1], changes: Partial<JwsExpectation> = {}) =>
    reason(good, { keys: trustKeys([await trust(pair, role)]), ...changes })

  test('that is revoked verifies nothing, whatever the caller accepts', async () => {
    expect(await under({ use: 'license', status: 'revoked' })).toBe('key_revoked')
    expect(await under({ use: 'license', status: 'revoked' }, { acceptRetired: true })).toBe('key_revoked')
  })

  test('that is retired verifies only where the caller accepts it', async () => {
    expect(await under({ use: 'license', status: 'retired' })).toBe('key_retired')
    expect(await under({ use: 'license', status: 'retired' }, { acceptRetired: true })).toBe('ok')
  })

  test.each(['pending', 'active', 'retiring'] as const)('that is %s verifies', async (status) => {
    expect(await under({ use: 'license', status })).toBe('ok')
  })

  test('verifies nothing issued before its first second', async () => {
    expect(await under({ use: 'license', status: 'pending', nbf: NOW })).toBe('ok')
    expect(await under({ use: 'license', status: 'pending', nbf: NOW + 1 })).toBe('key_not_yet_valid')
  })

  test.each(['control', 'raw'] as const)('of the use %s never verifies a license JWT (T4)', async (use) => {
    expect(await under({ use })).toBe('wrong_use')
  })

  test('of another product never verifies, and a product is never the one its key does not belong to', async () => {
    expect(await under({ use: 'license', product: 'other' })).toBe('wrong_product')
    expect(await under({ use: 'license', product: 'other' }, { product: null })).toBe('wrong_audience')
    expect(await under({ use: 'license' }, { product: null })).toBe('ok')
  })

  test('is trusted once: under one kid, with one product and one use', async () => {
    const jws = await trust(pair, { use: 'license' })
    expect(() => trustKeys([jws, { ...jws, product: 'other' }])).toThrow(RangeError)
    expect(() => trustKeys([jws, { ...jws, kid: 'other', use: 'raw' }])).toThrow(RangeError)
    const sameName = { ...(await trust(foreign, { use: 'license' })), kid: jws.kid }
    expect(() => trustKeys([jws, sameName])).toThrow(RangeError)
    expect(trustKeys([jws, { ...sameName, kid: 'other' }]).size).toBe(2)
  })
})

describe('a payload', () => {
  test.each(['[]', 'null', '"text"', '{', `${JSON.stringify(licenseClaims)} x`, ''])(
    'that is %.20s is refused, though the signature holds',
    async (payload) => {
      expect(['not_json', 'wrong_form']).toContain(await reason(nodeJws(pair, header, payload)))
    },
  )

  test('with a duplicated claim is refused, though the signature holds', async () => {
    const twice = `{"tier":"free",${JSON.stringify(licenseClaims).slice(1)}`
    expect(await reason(nodeJws(pair, header, twice))).toBe('duplicate_member')
  })

  test('is not believed before the signature: a forged one says only bad_signature', async () => {
    expect(await reason(nodeJws(foreign, header, '{'))).toBe('bad_signature')
    expect(await reason(nodeJws(foreign, header, { ...licenseClaims, aud: 'other' }))).toBe('bad_signature')
  })

  test('in two parts is no JWS', async () => {
    expect(await reason(nodeRaw(pair, licenseClaims))).toBe('wrong_form')
  })
})
