import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readMasterKey } from '../../../src/config/master-key.ts'
import { readRootKey } from '../../../src/config/root-key.ts'
import { loadRootKey } from '../../../src/config/root-key-file.ts'
import { StartError } from '../../../src/platform/start-error.ts'

const { privateKey } = generateKeyPairSync('ed25519')
const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
const pem = String(privateKey.export({ format: 'pem', type: 'pkcs8' }))
const x = createPublicKey(privateKey).export({ format: 'jwk' }).x ?? ''
const publicKey = Buffer.from(x, 'base64url').toString('hex')
const asPrivate = { kind: 'private', pkcs8: new Uint8Array(pkcs8), publicKey }

describe('the root key', () => {
  test.each([
    ['PEM', pem],
    ['PEM on one line, as environment files keep it', pem.replaceAll('\n', '\\n')],
    ['base64 of PKCS#8', pkcs8.toString('base64')],
    ['base64 without padding', pkcs8.toString('base64').replace(/=+$/, '')],
  ])('is read from %s', (_, text) => {
    expect(readRootKey(text)).toEqual({ value: asPrivate })
  })

  test('may be a public one, for those who sign key sets on another machine', () => {
    expect(readRootKey(`public:${publicKey.toUpperCase()}`)).toEqual({ value: { kind: 'public', publicKey } })
  })

  test('may be named as a file, which is not opened while settings are read', () => {
    expect(readRootKey('file:/no/such/key')).toEqual({ value: { kind: 'file', path: '/no/such/key' } })
    expect(readRootKey('file:///no/such%20key')).toEqual({ value: { kind: 'file', path: '/no/such key' } })
  })

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const x25519 = generateKeyPairSync('x25519').privateKey
  test.each([
    ['an RSA key', String(rsa.export({ format: 'pem', type: 'pkcs8' })), 'another kind than Ed25519'],
    ['an X25519 key', x25519.export({ format: 'der', type: 'pkcs8' }).toString('base64'), 'another kind'],
    [
      'a public PEM',
      String(createPublicKey(privateKey).export({ format: 'pem', type: 'spki' })),
      'not a private key',
    ],
    ['a raw seed', randomBytes(32).toString('base64'), 'is not a private key in PKCS#8'],
    ['a key cut short', pkcs8.subarray(0, -1).toString('base64'), 'is not a private key in PKCS#8'],
    ['other text', 'root.pem', 'is not a private key in PKCS#8'],
    ['a short public key', 'public:abcd', 'not 64 hex digits'],
    ['a relative file', 'file:root.pem', 'without its full path'],
    ['a file of another machine', 'file://server/root.pem', 'names no file of this machine'],
  ])('%s is refused', (_, text, wrong) => {
    expect(readRootKey(text)).toEqual({ wrong: expect.stringContaining(wrong) })
  })
})

describe('a root key file', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'leasehold-root-key-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test.each([
    ['PEM', pem, asPrivate],
    ['base64 with a line end', `${pkcs8.toString('base64')}\n`, asPrivate],
    ['a public key', `public:${publicKey}\n`, { kind: 'public', publicKey }],
  ])('with %s is opened', async (name, content, expected) => {
    const path = join(folder, name)
    await writeFile(path, content)
    const setting = readRootKey(pathToFileURL(path).href)
    expect('value' in setting && (await loadRootKey(setting.value))).toEqual(expected)
  })

  test('that is missing stops the start and is named', async () => {
    const path = join(folder, 'missing.pem')
    const failure = await loadRootKey({ kind: 'file', path }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(StartError)
    expect(String(failure)).toContain(`${path} cannot be read (ENOENT)`)
  })

  test('with something else stops the start without showing it', async () => {
    const path = join(folder, 'other.pem')
    await writeFile(path, 'hunter2')
    const failure = await loadRootKey({ kind: 'file', path }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(StartError)
    expect(String(failure)).toContain(`the content of ${path} is not a private key in PKCS#8`)
    expect(String(failure)).not.toContain('hunter2')
  })

  test('cannot lead to another file', async () => {
    const path = join(folder, 'chain.pem')
    await writeFile(path, `file:${path}`)
    await expect(loadRootKey({ kind: 'file', path })).rejects.toThrow(StartError)
  })

  test('is not needed for a key given as text', async () => {
    const setting = readRootKey(pem)
    expect('value' in setting && (await loadRootKey(setting.value))).toEqual(asPrivate)
  })
})

describe('the master key', () => {
  const key = Buffer.from(`${'ff'.repeat(16) + '00'.repeat(15)}fb`, 'hex')

  test.each([
    ['base64', key.toString('base64')],
    ['base64 without padding', key.toString('base64').replace('=', '')],
    ['base64url', key.toString('base64url')],
  ])('is read from %s', (_, text) => {
    expect(readMasterKey(text)).toEqual({ value: new Uint8Array(key) })
  })

  test.each([
    ['a passphrase', 'correct horse battery staple', 'is not base64'],
    ['hex', randomBytes(32).toString('hex'), 'decodes to 48 bytes'],
    ['16 bytes', randomBytes(16).toString('base64'), 'decodes to 16 bytes'],
    ['bits that no byte has', `${'A'.repeat(42)}B=`, 'is not base64'],
    ['zeros', Buffer.alloc(32).toString('base64'), 'is one byte repeated'],
  ])('%s is refused', (_, text, wrong) => {
    expect(readMasterKey(text)).toEqual({ wrong: expect.stringContaining(wrong) })
  })
})
