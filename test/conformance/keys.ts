// Public keys, in the three forms that clients read.
import { createPublicKey, verify } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Fixture } from './suite.ts'

export function keysPart(fixture: () => Fixture): void {
  describe('public keys', () => {
    test('the JWK set holds Ed25519 keys that may be kept for minutes, and is not sent twice', async () => {
      const { target } = fixture()
      const { status, headers, body } = await target.call('GET', '/.well-known/jwks.json')
      expect([status, headers.get('Content-Type')]).toEqual([200, 'application/jwk-set+json'])
      expect(headers.get('Cache-Control')).toBe('public, max-age=300')
      expect(body.keys).toHaveLength(2)
      for (const key of body.keys) expect(key).toMatchObject({ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA' })
      const tag = headers.get('ETag') ?? ''
      const again = await target.call('GET', '/.well-known/jwks.json', { headers: { 'If-None-Match': tag } })
      expect([again.status, again.text]).toEqual([304, ''])
      const own = await target.call('GET', '/.well-known/jwks.json?product=shielded')
      expect([own.status, own.body.keys.length]).toEqual([200, 1])
      const unknown = await target.call('GET', '/.well-known/jwks.json?product=nobody')
      expect([unknown.status, unknown.body.error]).toEqual([404, 'product_unknown'])
    })

    test('T4: the key set is signed by the root, and names the keys of both products', async () => {
      const { target } = fixture()
      const { headers, text } = await target.call('GET', '/.well-known/leasehold-keys')
      expect(headers.get('Content-Type')).toBe('application/jwt')
      const [head = '', claims = '', signature = ''] = text.split('.')
      const root = createPublicKey({ key: target.rootKey, format: 'der', type: 'spki' })
      const signed = Buffer.from(`${head}.${claims}`)
      expect(verify(null, signed, root, Buffer.from(signature, 'base64url'))).toBe(true)
      const { keys } = JSON.parse(Buffer.from(claims, 'base64url').toString())
      const uses = keys.map(({ product, use }: Record<string, string>) => `${product} ${use}`).sort()
      expect(uses).toEqual([
        'keldris control',
        'keldris license',
        'keldris raw',
        'shielded control',
        'shielded license',
        'shielded raw',
      ])
    })

    test('the raw key is 64 hex digits; that of an unknown product is 404', async () => {
      const { target } = fixture()
      const { headers, body } = await target.call('GET', '/api/v1/signing-key?product=shielded')
      expect(body).toEqual({ public_key: expect.stringMatching(/^[0-9a-f]{64}$/) })
      expect(headers.get('X-Request-Id')).toMatch(/^req_/)
      const unknown = await target.call('GET', '/api/v1/signing-key?product=nobody')
      expect([unknown.status, unknown.body.error]).toEqual([404, 'product_unknown'])
    })
  })
}
