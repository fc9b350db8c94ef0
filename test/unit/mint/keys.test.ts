import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, test } from 'vitest'
import { generateKeyPair, openRootKey, openSigningKey } from '../../../src/mint/keys.ts'

const role = { product: 'keldris', use: 'jws' } as const

describe('a fresh key pair', () => {
  test('is PKCS#8 and 32 bytes that belong together, named by their thumbprint', async () => {
    const { kid, publicKey, privateKey } = await generateKeyPair()
    const node = createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' })
    expect(node.asymmetricKeyType).toBe('ed25519')
    const x = String(createPublicKey(node).export({ format: 'jwk' }).x)
    expect(Buffer.from(publicKey).toString('base64url')).toBe(x)
    expect(kid).toBe(await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x }))
  })

  test('is another one each time', async () => {
    expect((await generateKeyPair()).kid).not.toBe((await generateKeyPair()).kid)
  })
})

describe('opening a key', () => {
  test('gives back its name and public half, bound to one product and one use', async () => {
    const { kid, publicKey, privateKey } = await generateKeyPair()
    expect(await openSigningKey(privateKey, role)).toMatchObject({ ...role, kid, publicKey })
    expect(await openRootKey(privateKey)).toMatchObject({ use: 'root', kid, publicKey })
  })

  test('gives a key that cannot be exported and shows nothing secret', async () => {
    const { privateKey } = await generateKeyPair()
    const key = await openSigningKey(privateKey, role)
    expect(key.privateKey.extractable).toBe(false)
    await expect(crypto.subtle.exportKey('pkcs8', key.privateKey)).rejects.toThrow()
    const seed = Buffer.from(privateKey).subarray(-32)
    for (const shown of [inspect(key, { depth: null }), JSON.stringify(key)]) {
      expect(shown).not.toContain(seed.toString('base64url'))
      expect(shown).not.toContain(seed.toString('hex'))
    }
  })

  test('refuses what is no Ed25519 private key, without quoting it', async () => {
    const { privateKey: p256 } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { privateKey: x25519 } = generateKeyPairSync('x25519')
    const foreign = [p256, x25519].map((key) => key.export({ format: 'der', type: 'pkcs8' }))
    for (const bytes of [new Uint8Array(), new Uint8Array(32), new Uint8Array(48), ...foreign]) {
      await expect(openSigningKey(bytes, role)).rejects.toThrow(
        new TypeError('not an Ed25519 private key in PKCS#8'),
      )
    }
  })
})
