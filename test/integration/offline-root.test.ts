import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KEY_SET_TYP, type KeySetClaims } from '../../src/contract/claims.ts'
import { generateKeyPair, openRootKey, type RootSigningKey } from '../../src/mint/keys.ts'
import { signJws } from '../../src/mint/sign-jws.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let root: RootSigningKey

beforeEach(async () => {
  app = await startTestApp()
  if (!app.services.rootKey) throw new Error('the test app has a root key')
  root = app.services.rootKey
  app.services.rootKey = null
  await app.admin('POST', '/products', { code: 'keldris', name: 'Keldris' })
})
afterEach(() => app.stop())

const draft = async () => (await app.admin('GET', '/key-sets/draft')).body as KeySetClaims
const sign = (claims: KeySetClaims, key = root) => signJws(key, KEY_SET_TYP, claims)
const send = (jws: string) => app.admin('POST', '/key-sets', { jws })
const published = () => app.call('GET', '/.well-known/leasehold-keys')

describe('with the root key on another machine', () => {
  test('the draft is signed there, sent here, and published as it is', async () => {
    const claims = await draft()
    expect(claims).toMatchObject({ iss: 'https://license.example.com', number: claims.iat })
    expect(claims.keys).toHaveLength(3)
    const jws = await sign(claims)
    const { status, body } = await send(jws)
    expect([status, body]).toEqual([
      201,
      { number: claims.number, issued_at: '2026-03-01T12:00:00Z', expires_at: '2027-04-05T12:00:00Z' },
    ])
    expect((await published()).text).toBe(jws)
    expect((await app.services.keyring.current()).keySetNumber).toBe(claims.number)
  })

  test('sending the same set twice changes nothing', async () => {
    const jws = await sign(await draft())
    const first = await send(jws)
    app.clock.advance(60_000)
    const second = await send(jws)
    expect([second.status, second.body]).toEqual([201, first.body])
    expect((await app.admin('GET', '/audit?action=key_set.import')).body).toHaveLength(1)
  })

  test('a rotation leaves the last set in force, and the draft made before it void', async () => {
    const early = await draft()
    await send(await sign(early))
    const before = (await published()).text
    const { body } = await app.admin('POST', '/signing-keys/rotate', { product: 'keldris', use: 'license' })
    expect(body.key_set).toBeNull()
    expect((await published()).text).toBe(before)
    const stale = await send(await sign({ ...early, number: early.number + 1 }))
    expect([stale.status, stale.body.reason]).toEqual([409, 'keys_changed'])
    const next = await draft()
    expect(next.number).toBeGreaterThan(early.number)
    expect((await send(await sign(next))).status).toBe(201)
  })

  test.each([
    ['number_not_above', 409, (claims: KeySetClaims) => claims],
    ['number_not_above', 409, (claims: KeySetClaims) => ({ ...claims, number: claims.number - 1 })],
    ['bad_times', 422, (claims: KeySetClaims) => ({ ...claims, number: claims.number + 100_000 })],
    [
      'bad_times',
      422,
      (claims: KeySetClaims) => ({ ...claims, iat: claims.iat + 3600, number: claims.number + 1 }),
    ],
    ['wrong_issuer', 422, (claims: KeySetClaims) => ({ ...claims, iss: 'https://elsewhere.example' })],
    [
      'keys_changed',
      409,
      (claims: KeySetClaims) => ({ ...claims, number: claims.number + 1, keys: claims.keys.slice(1) }),
    ],
  ])('%s (%i): a set that is not the next one is refused', async (reason, status, change) => {
    const first = await draft()
    await send(await sign(first))
    const answer = await send(await sign(change({ ...first, exp: first.exp - 1 })))
    expect([answer.status, answer.body.reason]).toEqual([status, reason])
  })

  test('the keys may stand in any order', async () => {
    const claims = await draft()
    expect((await send(await sign({ ...claims, keys: claims.keys.toReversed() }))).status).toBe(201)
  })

  test('a set that another key signed, or that was changed, is refused', async () => {
    const claims = await draft()
    const stranger = openRootKey((await generateKeyPair()).privateKey)
    const forged = await send(await sign(claims, stranger))
    expect([forged.status, forged.body.reason]).toEqual([422, 'unknown_key'])
    const genuine = await sign(claims)
    const [head, , signature] = genuine.split('.')
    const other = Buffer.from(JSON.stringify({ ...claims, number: claims.number + 1 })).toString('base64url')
    expect((await send(`${head}.${other}.${signature}`)).body.reason).toBe('bad_signature')
    expect((await send('nonsense')).body.reason).toBe('wrong_form')
    expect((await published()).status).toBe(503)
  })

  test('an auditor may draft, and only an owner publish', async () => {
    const { body } = await app.admin('POST', '/admin-keys', { name: 'a', role: 'auditor' })
    const bearer = body.admin_key
    expect((await app.call('GET', '/api/v1/admin/key-sets/draft', { bearer })).status).toBe(200)
    const jws = await sign(await draft())
    const refused = await app.call('POST', '/api/v1/admin/key-sets', { bearer, body: { jws } })
    expect(refused.status).toBe(403)
  })
})
