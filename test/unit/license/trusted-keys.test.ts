import { calculateJwkThumbprint } from 'jose'
import { describe, expect, test } from 'vitest'
import {
  importRootKey,
  importTrustedKey,
  keyThumbprint,
  rawFromJwk,
} from '../../../src/license/trusted-keys.ts'
import { makePair } from './fixtures.ts'

const pair = makePair()
const role = { product: 'keldris', use: 'license', status: 'active', nbf: 0 } as const

describe('a public key', () => {
  test('is named by its RFC 7638 thumbprint, as another implementation computes it', async () => {
    const theirs = await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: pair.x })
    expect(await keyThumbprint(pair.raw)).toBe(theirs)
    expect(await importTrustedKey(pair.raw, role)).toMatchObject({ ok: true, key: { ...role, kid: theirs } })
    expect(await importRootKey(pair.raw)).toMatchObject({ ok: true, key: { use: 'root', kid: theirs } })
  })

  test('has the thumbprint of the example in RFC 8037, appendix A.3', async () => {
    const raw = Buffer.from('11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', 'base64url')
    expect(await keyThumbprint(raw)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  })

  test.each([0, 31, 33, 44])('of %i bytes is refused', async (length) => {
    expect(await importTrustedKey(new Uint8Array(length), role, 'k')).toEqual({
      ok: false,
      reason: 'bad_key',
      detail: 'k',
    })
    expect(await importRootKey(new Uint8Array(length))).toEqual({ ok: false, reason: 'bad_key' })
  })

  test('does not change with the bytes it came from', async () => {
    const bytes = new Uint8Array(pair.raw)
    const imported = await importRootKey(bytes)
    bytes.fill(0)
    expect(imported.ok && imported.key.raw).toEqual(pair.raw)
  })

  test('comes from an Ed25519 public JWK and from no other', () => {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: pair.x }
    expect(rawFromJwk({ ...jwk, kid: 'any', alg: 'EdDSA' })).toEqual(pair.raw)
    const others = [
      { ...jwk, d: pair.x },
      { ...jwk, kty: 'EC' },
      { ...jwk, crv: 'X25519' },
      { ...jwk, x: `${pair.x}=` },
      { ...jwk, x: pair.x.slice(2) },
      { ...jwk, x: 1 },
      [jwk],
      null,
      'jwk',
    ]
    for (const other of others) expect(rawFromJwk(other)).toBeNull()
  })
})
