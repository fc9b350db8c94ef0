import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KeyUse } from '../../src/contract/claims.ts'
import type { Call } from '../support/app.ts'
import { until } from '../support/leasehold-process.ts'
import { type SeveralServers, startServers } from '../support/several-servers.ts'
import { claimsOf, verifyByJwks, verifyByKeySet } from '../support/verify.ts'
import { createWorld, type World } from '../support/world.ts'

const INSTANCES = 4

interface Rotation {
  kid: string
  key_set: number
}

describe('T4: rotation while two processes serve', () => {
  let cluster: SeveralServers
  let world: World
  beforeAll(async () => {
    cluster = await startServers(2)
    world = await createWorld(cluster, {
      product: 'rotated',
      instanceAuth: 'token',
      license: { expires_at: null, seat_limit: null },
    })
  })
  afterAll(() => cluster?.stop())

  const server = (i: number): Call => cluster.calls[i % cluster.calls.length] as Call
  const rotate = async (i: number, activate_in: number, use: KeyUse = 'license'): Promise<Rotation> => {
    const { status, body, text } = await server(i)('POST', '/api/v1/admin/signing-keys/rotate', {
      bearer: cluster.adminKey,
      body: { product: 'rotated', use, activate_in },
    })
    if (status !== 201) throw new Error(text)
    return body
  }
  const keySetNumber = async (i: number): Promise<number> =>
    claimsOf((await server(i)('GET', '/.well-known/leasehold-keys')).text).number

  /** One instance's requests, each sent to the other process than the one before, until `over`. */
  async function live(name: number, over: () => boolean, signedBy: Set<string>): Promise<number> {
    const instance_id = `rotated-${name}`
    const boot_id = randomUUID()
    const seen = { turn: name, answers: 0, seq: 0, jwt: '', keySets: [0, 0] }
    const ask = async (path: string, bearer: string, body: object) => {
      const turn = seen.turn++
      const nonce = randomUUID()
      const answer = await server(turn)('POST', path, { bearer, body: { instance_id, nonce, ...body } })
      expect([answer.status, answer.text]).toEqual([200, expect.any(String)])
      // From the process that did not sign.
      const published = server(turn + 1)
      const { jwt, directive: token } = answer.body
      if (jwt !== undefined) signedBy.add((await verifyByJwks(published, jwt)).header.kid)
      signedBy.add((await verifyByKeySet(published, token)).header.kid)
      const directive = claimsOf(answer.body.directive)
      expect(directive).toMatchObject({ nonce, status: 'active', action: 'none' })
      expect(directive.keys).toBeGreaterThanOrEqual(seen.keySets[turn % 2] ?? 0)
      seen.keySets[turn % 2] = directive.keys
      seen.jwt = answer.body.jwt ?? seen.jwt
      seen.answers += 1
    }
    const beat = () =>
      ask('/api/v1/instances/heartbeat', seen.jwt, {
        product: 'rotated',
        reported_tier: 'pro',
        has_valid_entitlement: true,
        metrics: {},
        boot_id,
        seq: seen.seq++,
      })
    while (!over()) {
      await ask('/api/v1/licenses/token', world.apiKey, { version: '1.0.0' })
      await beat()
      await ask('/api/v1/licenses/refresh', seen.jwt, { version: '1.0.0' })
      await beat()
    }
    return seen.answers
  }

  /** The published set's number, read over and over until `over`: from one process it never falls. */
  async function watchKeySets(i: number, over: () => boolean): Promise<number[]> {
    const numbers: number[] = []
    while (!over()) numbers.push(await keySetNumber(i))
    return numbers
  }

  test('refuses no token, and every JWT and directive verifies from the set fetched after it', async () => {
    let over = false
    const signedBy = new Set<string>()
    const isOver = () => over
    const failed = (error: unknown) => {
      over = true
      throw error
    }
    const load = Promise.all(
      Array.from({ length: INSTANCES }, (_, i) => live(i, isOver, signedBy).catch(failed)),
    )
    const sets = Promise.all([0, 1].map((i) => watchKeySets(i, isOver).catch(failed)))
    const inUse = (...keys: Rotation[]) =>
      until(() => over || keys.every(({ kid }) => signedBy.has(kid)), 15_000)

    const rotations: Rotation[] = []
    const rotated = async (...pending: Promise<Rotation>[]) => {
      const made = (await Promise.all(pending)).sort((a, b) => a.key_set - b.key_set)
      rotations.push(...made)
      return made
    }
    const rotating = (async () => {
      await inUse(...(await rotated(rotate(0, 0))))
      await inUse(...(await rotated(rotate(1, 1, 'control'))))
      // By both at once: one key follows the other, and the later one signs.
      await inUse(...(await rotated(rotate(0, 0), rotate(1, 0))).slice(1))
      await inUse(...(await rotated(rotate(1, 2, 'control'))))
    })()
    const ended = rotating.finally(() => {
      over = true
    })

    const [answers, published] = await Promise.all([load, sets, ended])
    for (const count of answers) expect(count).toBeGreaterThan(8)
    expect(rotations).toHaveLength(5)
    const numbers = rotations.map((rotation) => rotation.key_set)
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    for (const seen of published) {
      expect(seen).toEqual(seen.toSorted((a, b) => a - b))
      expect(new Set(seen).size).toBeGreaterThan(3)
    }
    for (const i of [0, 1]) expect(await keySetNumber(i)).toBeGreaterThanOrEqual(numbers.at(-1) ?? 0)
  }, 60_000)
})
