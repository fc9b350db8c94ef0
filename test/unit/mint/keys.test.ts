import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, test } from 'vitest'
import { signBytes } from '../../../src/mint/ed25519.ts'
import { generateKeyPair, openRootKey, openSigningKey } from '../../../src/mint/keys.ts'

const role = { product: 'keldris', use: 'license' } as const

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
    expect(openSigningKey(privateKey, role)).toMatchObject({ ...role, kid, publicKey })
    expect(openRootKey(privateKey)).toMatchObject({ use: 'root', kid, publicKey })
  })

  test('gives a key that cannot be exported and shows nothing secret', async () => {
    const { privateKey } = await generateKeyPair()
    const key = openSigningKey(privateKey, role)
    // It is a name for what mint/ keeps: no part of it leads to the key.
    expect(Reflect.ownKeys(key.privateKey)).toEqual(['alg'])
    expect(Object.isFrozen(key.privateKey)).toBe(true)
    expect(() => signBytes({ ...key.privateKey }, new Uint8Array())).toThrow(TypeError)
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
      expect(() => openSigningKey(bytes, role)).toThrow(new TypeError('not an Ed25519 private key in PKCS#8'))
    }
  })
})
