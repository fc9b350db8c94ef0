// T4 against clients that know nothing of it: a JWT library with a JWK set, which looks at neither `typ` nor `aud`. It
// must find no key with which anything but this product's license JWT passes for one.
import { createPublicKey, verify } from 'node:crypto'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { createWorld, type World } from '../support/world.ts'

const NONCE = 'abcdefghijklmnopqrstuv'

let app: TestApp
let world: World
let other: World

beforeAll(async () => {
  app = await startTestApp()
  world = await createWorld(app, { license: { seat_limit: null } })
  other = await createWorld(app, { product: 'other', license: { seat_limit: null } })
})
afterAll(() => app.stop())

const jwks = async (query = ''): Promise<JSONWebKeySet> =>
  (await app.call('GET', `/.well-known/jwks.json${query}`)).body

/** What a lenient library says of a token: its claims, or the code of its refusal. */
async function taken(token: string, keys: JSONWebKeySet): Promise<string> {
  const currentDate = app.clock.now()
  return jwtVerify(token, createLocalJWKSet(keys), { currentDate }).then(
    ({ payload }) => `taken for ${payload.aud}`,
    ({ code }) => code,
  )
}

/** A client that does not even look at `kid`: whether any key of the set signed the token. */
function signedByAny(token: string, { keys }: JSONWebKeySet): boolean {
  const [head, claims, signature = ''] = token.split('.')
  return keys.some((key) => {
    const publicKey = createPublicKey({ key: { ...key }, format: 'jwk' })
    return verify(null, Buffer.from(`${head}.${claims}`), publicKey, Buffer.from(signature, 'base64url'))
  })
}

const exchange = async ({ apiKey }: World, more: object = {}) =>
  (
    await app.call('POST', '/api/v1/licenses/token', {
      bearer: apiKey,
      body: { instance_id: 'i-1', version: '1', ...more },
    })
  ).body

/** What anybody may have without a credential: a directive about an instance that it made up. */
async function anonymousDirective(): Promise<string> {
  const { status, body } = await app.call('POST', '/api/v1/instances/register', {
    body: { instance_id: 'stranger', product: 'keldris', nonce: NONCE },
  })
  expect(status).toBe(200)
  return body.directive
}

async function offlineAnswer(): Promise<string> {
  const { status, body } = await app.admin('POST', `/licenses/${world.licenseId}/offline-activations`, {
    kind: 'leasehold-activation-request',
    version: 1,
    product: 'keldris',
    instance_id: 'air-gapped',
    nonce: NONCE,
    created_at: '2026-01-01T00:00:00Z',
    action: 'none',
    action_seq: null,
  })
  expect([status, body.detail]).toEqual([201, undefined])
  return body.activation
}

describe('a lenient client with the JWK set', () => {
  test('takes a license JWT of its product', async () => {
    const { jwt } = await exchange(world)
    for (const keys of [await jwks(), await jwks('?product=keldris')]) {
      expect(await taken(jwt, keys)).toBe('taken for keldris')
      expect(signedByAny(jwt, keys)).toBe(true)
    }
  })

  test.each([
    ['directive that a stranger was given', anonymousDirective],
    ['directive beside a lease', async () => (await exchange(world, { nonce: NONCE })).directive],
    ['offline answer', offlineAnswer],
  ])('finds no key for a %s (T4)', async (_, make) => {
    const token = await make()
    expect(token.split('.')).toHaveLength(3)
    for (const keys of [await jwks(), await jwks('?product=keldris')]) {
      expect(keys.keys.length).toBeGreaterThan(0)
      expect(await taken(token, keys)).toBe('ERR_JWKS_NO_MATCHING_KEY')
      expect(signedByAny(token, keys)).toBe(false)
    }
  })

  test('finds no key for a license JWT of another product in the set of its own (T4)', async () => {
    const { jwt } = await exchange(other)
    const own = await jwks('?product=keldris')
    expect(await taken(jwt, own)).toBe('ERR_JWKS_NO_MATCHING_KEY')
    expect(signedByAny(jwt, own)).toBe(false)
    expect(await taken(jwt, await jwks('?product=other'))).toBe('taken for other')
    // The set of all products is for clients that check `aud`.
    expect(await taken(jwt, await jwks())).toBe('taken for other')
  })

  test.each(['nothing', '', '%00', "'"])('is told that there is no product %j', async (product) => {
    const { status, body } = await app.call('GET', `/.well-known/jwks.json?product=${product}`)
    expect([status, body.error]).toEqual([404, 'product_unknown'])
  })

  test('is never given a control key, of whatever status', async () => {
    await app.admin('POST', '/signing-keys/rotate', { product: 'keldris', use: 'control', activate_in: 0 })
    await app.admin('POST', '/signing-keys/rotate', { product: 'keldris', use: 'control', activate_in: 3600 })
    const { body: keys } = await app.admin('GET', '/signing-keys?product=keldris&use=control')
    const statuses = keys.map(({ status }: { status: string }) => status)
    expect(statuses.sort()).toEqual(['active', 'pending', 'retiring'])
    const published = JSON.stringify([await jwks(), await jwks('?product=keldris')])
    for (const { kid, public_key } of keys) {
      expect(published).not.toContain(kid)
      expect(published).not.toContain(Buffer.from(public_key, 'hex').toString('base64url'))
    }
  })
})
