import { createPublicKey, verify } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { refreshKeySet } from '../../src/domain/signing/refresh-key-set.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeEach(async () => {
  app = await startTestApp()
})
afterEach(() => app.stop())

const JWKS = '/.well-known/jwks.json'
const KEY_SET = '/.well-known/leasehold-keys'
const createProduct = (code: string) => app.admin('POST', '/products', { code, name: code })
const rotate = (body: object) =>
  app.admin('POST', '/signing-keys/rotate', { product: 'keldris', use: 'license', ...body })

/** The published set, verified with node:crypto and the root public key that products pin. */
async function readKeySet() {
  const { text } = await app.call('GET', KEY_SET)
  const [head = '', claims = '', signature = ''] = text.split('.')
  const x = Buffer.from(app.services.rootPublicKeyHex, 'hex').toString('base64url')
  const root = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  const genuine = verify(null, Buffer.from(`${head}.${claims}`), root, Buffer.from(signature, 'base64url'))
  expect(genuine).toBe(true)
  const parse = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
  return { header: parse(head), claims: parse(claims) }
}

describe('the JWK set', () => {
  test('holds the public halves of the license keys of all products, and no other member', async () => {
    await createProduct('keldris')
    app.clock.advance(1000)
    await createProduct('other')
    const { status, headers, body } = await app.call('GET', JWKS)
    expect(status).toBe(200)
    expect(headers.get('Content-Type')).toBe('application/jwk-set+json')
    expect(headers.get('Cache-Control')).toBe('public, max-age=300')
    const { body: keys } = await app.admin('GET', '/signing-keys?use=license')
    expect(body).toEqual({
      keys: keys
        .map(({ kid, public_key }: { kid: string; public_key: string }) => ({
          kty: 'OKP',
          crv: 'Ed25519',
          x: Buffer.from(public_key, 'hex').toString('base64url'),
          kid,
          use: 'sig',
          alg: 'EdDSA',
        }))
        .toReversed(),
    })
    expect(body.keys).toHaveLength(2)
  })

  test('of one product holds its license keys alone, in the order of all, and has an ETag of its own', async () => {
    await createProduct('keldris')
    app.clock.advance(1000)
    await createProduct('other')
    await rotate({})
    const all = await app.call('GET', JWKS)
    const own = await app.call('GET', `${JWKS}?product=keldris`)
    const { body: keys } = await app.admin('GET', '/signing-keys?product=keldris&use=license')
    const kids = keys.map(({ kid }: { kid: string }) => kid)
    expect(own.body.keys).toEqual(all.body.keys.filter(({ kid }: { kid: string }) => kids.includes(kid)))
    expect(own.body.keys).toHaveLength(2)
    const tag = own.headers.get('ETag') ?? ''
    expect(tag).not.toBe(all.headers.get('ETag'))
    const again = await app.call('GET', `${JWKS}?product=keldris`, { headers: { 'If-None-Match': tag } })
    expect(again.status).toBe(304)
  })

  test('is not sent again to those who have it, until it changes', async () => {
    await createProduct('keldris')
    const tag = (await app.call('GET', JWKS)).headers.get('ETag') ?? ''
    const again = await app.call('GET', JWKS, { headers: { 'If-None-Match': `"other", W/${tag}` } })
    expect([again.status, again.text, again.headers.get('ETag')]).toEqual([304, '', tag])
    expect(again.headers.get('Cache-Control')).toBe('public, max-age=300')
    await rotate({})
    const changed = await app.call('GET', JWKS, { headers: { 'If-None-Match': tag } })
    expect(changed.status).toBe(200)
    expect(changed.body.keys).toHaveLength(2)
  })

  test('on another process shows a rotation at once', async () => {
    await createProduct('keldris')
    const other = await startTestApp({ beside: app })
    await other.call('GET', JWKS)
    const { body } = await rotate({})
    const seen = await other.call('GET', JWKS)
    expect(seen.body.keys.map(({ kid }: { kid: string }) => kid)).toContain(body.kid)
    await other.stop()
  })
})

describe('the root-signed key set', () => {
  test('verifies with the pinned root and names every key of every product', async () => {
    await createProduct('keldris')
    const { headers } = await app.call('GET', KEY_SET)
    expect(headers.get('Content-Type')).toBe('application/jwt')
    expect(headers.get('Cache-Control')).toBe('public, max-age=60')
    const { header, claims } = await readKeySet()
    expect(header).toEqual({ alg: 'EdDSA', typ: 'leasehold-keys+jwt', kid: app.services.rootKey?.kid })
    const now = app.clock.now().getTime() / 1000
    expect(claims).toMatchObject({
      iss: 'https://license.example.com',
      number: now,
      iat: now,
      exp: now + 34_560_000,
    })
    expect(
      claims.keys
        .map(({ use, status, nbf }: { use: string; status: string; nbf: number }) => [use, status, nbf])
        .sort(),
    ).toEqual([
      ['control', 'active', now - 300],
      ['license', 'active', now - 300],
      ['raw', 'active', now - 300],
    ])
  })

  test('follows rotation, time and revocation, each under a higher number', async () => {
    await createProduct('keldris')
    const seen: [number, string[]][] = []
    const look = async () => {
      const { claims } = await readKeySet()
      const license = claims.keys.filter(({ use }: { use: string }) => use === 'license')
      seen.push([claims.number, license.map(({ status }: { status: string }) => status)])
    }
    await look()
    app.clock.advance(1000)
    const { body: successor } = await rotate({})
    await look()
    app.clock.advance(300_000)
    await look()
    app.clock.advance(40 * 86_400_000)
    await look()
    await app.admin('POST', `/signing-keys/${successor.kid}/revoke`)
    await look()
    expect(seen.map(([, statuses]) => statuses)).toEqual([
      ['active'],
      ['active', 'pending'],
      ['retiring', 'active'],
      ['retired', 'active'],
      ['retired', 'revoked', 'active'],
    ])
    const numbers = seen.map(([number]) => number)
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
  })

  test('is signed again by the job only when it says something else, or is past half its life', async () => {
    await createProduct('keldris')
    expect(await refreshKeySet(app.ctx)).toBeNull()
    await rotate({})
    expect(await refreshKeySet(app.ctx)).toBeNull()
    app.clock.advance(300_000)
    expect(await refreshKeySet(app.ctx)).toEqual({ number: app.clock.now().getTime() / 1000 })
    expect(await refreshKeySet(app.ctx)).toBeNull()
    app.clock.advance(201 * 86_400_000)
    expect(await refreshKeySet(app.ctx)).not.toBeNull()
    const { body } = await app.admin('GET', '/audit?action=key_set.publish')
    expect(body).toHaveLength(2)
  })

  test('has the number that directives name', async () => {
    await createProduct('keldris')
    const { claims } = await readKeySet()
    expect((await app.services.keyring.current()).keySetNumber).toBe(claims.number)
  })

  test('is made on demand by many who ask at once: one set, signed once', async () => {
    const { rootKey } = app.services
    app.services.rootKey = null
    await createProduct('keldris')
    app.services.rootKey = rootKey
    // All connections open: none of the ten is late.
    await Promise.all(Array.from({ length: 10 }, () => app.services.db.execute(sql`select pg_sleep(0.05)`)))
    const answers = await Promise.all(Array.from({ length: 10 }, () => app.call('GET', KEY_SET)))
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect((await app.admin('GET', '/audit?action=key_set.publish')).body).toHaveLength(1)
  })

  test('is missing, with what to do, where the root key is elsewhere and none was signed', async () => {
    app.services.rootKey = null
    await createProduct('keldris')
    const { status, body, headers } = await app.call('GET', KEY_SET)
    expect([status, body.error]).toEqual([503, 'key_set_missing'])
    expect(body.fix).toContain('sign-set')
    expect(headers.has('Retry-After')).toBe(true)
    expect(headers.get('Cache-Control')).toBe('no-store')
  })
})

describe('the raw public key', () => {
  test('is that of the first product, or of the one that is named', async () => {
    const none = await app.call('GET', '/api/v1/signing-key')
    expect([none.status, none.body.error]).toEqual([404, 'product_unknown'])
    await createProduct('zebra')
    app.clock.advance(1000)
    await createProduct('ant')
    const { body: keys } = await app.admin('GET', '/signing-keys?use=raw')
    const of = (product: string) =>
      keys.find((key: { product: string }) => key.product === product).public_key as string
    expect((await app.call('GET', '/api/v1/signing-key')).body).toEqual({ public_key: of('zebra') })
    expect((await app.call('GET', '/api/v1/signing-key?product=ant')).body).toEqual({ public_key: of('ant') })
  })

  test.each(['nothing', '', '%00', "'"])('of the product %j is unknown', async (product) => {
    await createProduct('keldris')
    const { status, body } = await app.call('GET', `/api/v1/signing-key?product=${product}`)
    expect([status, body.error]).toEqual([404, 'product_unknown'])
  })
})
