import { describe, expect, test } from 'vitest'
import { KEY_SET_TYP, type KeySetKey } from '../../../src/contract/claims.ts'
import { allowsTaking, followKeySet, type KeySet, type PinnedRoots } from '../../../src/license/key-set.ts'
import { ISSUER, keySetClaims, makePair, NOW, nodeJws, type Pair, pin, without } from './fixtures.ts'

const rootPair = makePair()
const nextRootPair = makePair()
const root = await pin(rootPair)
const nextRoot = await pin(nextRootPair)
const [jwsPair, rawPair] = [makePair(), makePair()]

const entry = (pair: Pair, kid: string, changes: Partial<KeySetKey> = {}): KeySetKey => ({
  kid,
  x: pair.x,
  product: 'keldris',
  use: 'license',
  status: 'active',
  nbf: NOW,
  ...changes,
})
const first = entry(jwsPair, 'one')
const second = entry(rawPair, 'two', { use: 'raw', status: 'retired' })
const claims = keySetClaims([first, second])

const token = (payload: unknown, pair = rootPair, kid = root.kid) =>
  nodeJws(pair, { alg: 'EdDSA', typ: KEY_SET_TYP, kid }, payload)
const follow = async (payload: unknown, current: KeySet | null = null, roots: PinnedRoots = [root]) =>
  followKeySet(token(payload), { issuer: ISSUER, roots, current })
const reason = async (...args: Parameters<typeof follow>) => {
  const result = await follow(...args)
  return result.ok ? 'ok' : [result.reason, result.detail].filter(Boolean).join(' ')
}
const inForce = async (payload: unknown = claims): Promise<KeySet> => {
  const result = await follow(payload)
  if (!result.ok) throw new Error(result.reason)
  return result.keySet
}

describe('a key set', () => {
  test('brings its keys into trust, each with its product, use, status and first second', async () => {
    const { keys } = await inForce()
    expect([...keys.keys()]).toEqual(['one', 'two'])
    expect(keys.get('two')).toMatchObject({ product: 'keldris', use: 'raw', status: 'retired', nbf: NOW })
    expect(keys.get('one')?.raw).toEqual(jwsPair.raw)
  })

  test('is taken from either of two pinned roots, and from no other key', async () => {
    const signedByNext = token(claims, nextRootPair, nextRoot.kid)
    const expected = { issuer: ISSUER, current: null }
    expect(await followKeySet(signedByNext, { ...expected, roots: [root, nextRoot] })).toMatchObject({
      ok: true,
    })
    expect(await followKeySet(signedByNext, { ...expected, roots: [root] })).toMatchObject({
      reason: 'unknown_key',
    })
    const forged = token(claims, jwsPair, root.kid)
    expect(await followKeySet(forged, { ...expected, roots: [root] })).toMatchObject({
      reason: 'bad_signature',
    })
  })

  test.each([
    ['wrong_issuer', { ...claims, iss: 'https://other.example.com' }],
    ['bad_member number', { ...claims, number: -1 }],
    ['bad_member exp', { ...claims, exp: claims.exp + 1 }],
    ['bad_member exp', { ...claims, exp: claims.iat }],
    ['bad_member keys', { ...claims, keys: {} }],
    ['bad_member keys', { ...claims, keys: [{ ...first, use: 'root' }] }],
    ['bad_member keys', { ...claims, keys: [{ ...first, status: 'lost' }] }],
    ['bad_member keys', { ...claims, keys: [{ ...first, x: `${first.x}A` }] }],
    ['bad_member keys', { ...claims, keys: [{ ...first, d: first.x }] }],
    ['bad_member keys', { ...claims, keys: [without(first, 'nbf')] }],
    ['bad_member kid', { ...claims, keys: [first, { ...second, kid: 'one' }] }],
    ['bad_member x', { ...claims, keys: [first, { ...second, x: first.x }] }],
    ['bad_key root', { ...claims, keys: [entry(rootPair, 'root')] }],
    [`bad_key ${root.kid}`, { ...claims, keys: [entry(jwsPair, root.kid)] }],
  ])('is refused as %s', async (why, payload) => {
    expect(await reason(payload)).toBe(why)
  })

  test.each(Object.keys(claims))('is refused without %s', async (name) => {
    expect(await reason(without(claims, name))).toBe(`missing_member ${name}`)
  })
})

describe('following key sets', () => {
  test('a higher number replaces the set in force', async () => {
    const result = await follow(keySetClaims([second], 8), await inForce())
    expect(result.ok && [...result.keySet.keys.keys()]).toEqual(['two'])
  })

  test('a lower number is refused, whatever it says', async () => {
    expect(await reason({ ...claims, number: 6 }, await inForce())).toBe('key_set_older')
  })

  test('the same number with the same content changes nothing, in whatever order its keys stand', async () => {
    const current = await inForce()
    const result = await follow({ ...claims, keys: [second, first] }, current)
    expect(result.ok && result.keySet).toBe(current)
  })

  test.each([
    { ...claims, exp: claims.exp - 1 },
    { ...claims, iat: claims.iat + 1 },
    { ...claims, keys: [first] },
    { ...claims, keys: [] },
    { ...claims, keys: [first, { ...second, status: 'active' }] },
    { ...claims, keys: [first, { ...second, nbf: NOW + 1 }] },
    { ...claims, keys: [first, { ...second, product: 'other' }] },
  ])('the same number with other content is a conflict (%#)', async (payload) => {
    expect(await reason(payload, await inForce())).toBe('key_set_conflict')
  })

  test('an expired set is still followed, but allows no taking from its last second on', async () => {
    const set = await inForce({ ...claims, iat: NOW - 34_560_000, exp: NOW })
    expect(allowsTaking(set, { now: NOW - 1 })).toBe(true)
    expect(allowsTaking(set, { now: NOW })).toBe(false)
    expect(allowsTaking(set, { now: NOW + 4, clockTolerance: 5 })).toBe(true)
  })
})
