import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KeyUse } from '../../src/contract/claims.ts'
import { signingKeys } from '../../src/db/schema/index.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { createWorld, type World } from '../support/world.ts'

const DAY = 86_400_000

interface Key {
  kid: string
  use: KeyUse
  status: string
  public_key: string
  not_before: string
  superseded_at: string | null
  retired_at: string | null
}

let app: TestApp
let world: World
beforeEach(async () => {
  app = await startTestApp({ startAt: '2026-03-01T11:59:00Z' })
  world = await createWorld(app)
  app.clock.set(new Date('2026-03-01T12:00:00Z'))
})
afterEach(() => app.stop())

const keys = async (use: KeyUse = 'license'): Promise<Key[]> =>
  (await app.admin('GET', `/signing-keys?product=keldris&use=${use}`)).body
const statuses = async (use?: KeyUse) => (await keys(use)).map(({ status }) => status)
const rotate = (body: object, by = app) =>
  by.admin('POST', '/signing-keys/rotate', { product: 'keldris', use: 'license', ...body })
const revoke = (kid: string, body?: object) => app.admin('POST', `/signing-keys/${kid}/revoke`, body)
const jwksKids = async () =>
  (await app.call('GET', '/.well-known/jwks.json')).body.keys.map(({ kid }: Key) => kid)
const signerKid = async (by = app, use: KeyUse = 'license') =>
  (await by.services.keyring.current()).signer('keldris', use, app.clock.now()).kid
/** All processes have looked at the keys again. */
const settle = () => app.clock.advance(2_000)

describe('rotation', () => {
  test('announces the successor, hands over at its time, and retires the old key when no token needs it', async () => {
    const [old] = await keys()
    const { status, body } = await rotate({})
    expect(status).toBe(201)
    expect(body).toMatchObject({
      status: 'pending',
      not_before: '2026-03-01T12:05:00Z',
      replaces: old?.kid,
      key_set: expect.any(Number),
    })
    expect(await statuses()).toEqual(['pending', 'active'])
    expect(await signerKid()).toBe(old?.kid)
    expect(await jwksKids()).toEqual([old?.kid, body.kid])

    app.clock.set(new Date('2026-03-01T12:05:00Z'))
    settle()
    expect(await statuses()).toEqual(['active', 'retiring'])
    expect(await signerKid()).toBe(body.kid)
    expect(await jwksKids()).toEqual([old?.kid, body.kid])

    // Token life of a day, and the 30 days of grace of the tier pro.
    const retired = new Date('2026-03-01T12:05:00Z').getTime() + 31 * DAY
    expect((await keys())[1]?.retired_at).toBe(new Date(retired).toISOString().replace('.000Z', 'Z'))
    app.clock.set(new Date(retired - 1))
    expect(await statuses()).toEqual(['active', 'retiring'])
    app.clock.set(new Date(retired))
    expect(await statuses()).toEqual(['active', 'retired'])
    expect(await jwksKids()).toEqual([body.kid])
  })

  test('waits for the longest grace of any license, and for the last static JWT', async () => {
    await world.another({ grace_days: 90 })
    const ofLicense = await rotate({ activate_in: 0 })
    const [, first] = await keys()
    expect(first?.retired_at).toBe(
      new Date(app.clock.now().getTime() + 91 * DAY).toISOString().replace('.000Z', 'Z'),
    )
    const jwt = await app.admin('POST', `/licenses/${world.licenseId}/jwt`, {
      life: 200 * 86_400,
      refreshable: true,
    })
    expect([ofLicense.status, jwt.status]).toEqual([201, 201])
    app.clock.advance(1000)
    await rotate({ activate_in: 0 })
    const end = Date.parse(jwt.body.expires_at) + 90 * DAY
    expect((await keys())[1]?.retired_at).toBe(new Date(end).toISOString().replace('.000Z', 'Z'))
  })

  test('of the control key waits for what it directs: allotments, and the lease of the last offline answer', async () => {
    await rotate({ use: 'control', activate_in: 0 })
    const [, first] = await keys('control')
    // An allotment's life of 30 days, and the 30 days of grace of the tier pro.
    const end = (days: number) =>
      new Date(app.clock.now().getTime() + days * DAY).toISOString().replace('.000Z', 'Z')
    expect(first?.retired_at).toBe(end(60))
    const { status } = await app.admin('POST', `/licenses/${world.licenseId}/offline-activations`, {
      kind: 'leasehold-activation-request',
      version: 1,
      product: 'keldris',
      instance_id: 'air-gapped',
      nonce: 'abcdefghijklmnopqrstuv',
      created_at: '2026-03-01T12:00:00Z',
      action: 'none',
      action_seq: null,
      days: 200,
    })
    expect(status).toBe(201)
    const answered = end(230)
    app.clock.advance(1000)
    await rotate({ use: 'control', activate_in: 0 })
    expect((await keys('control'))[1]?.retired_at).toBe(answered)
    expect(await statuses('license')).toEqual(['active'])
  })

  test('at once takes over at once, and what the old key signed is still taken', async () => {
    const body = { instance_id: 'i-1', version: '1' }
    const before = await app.call('POST', '/api/v1/licenses/token', { bearer: world.apiKey, body })
    const { body: rotated } = await rotate({ activate_in: 0 })
    expect(rotated.status).toBe('active')
    expect(await statuses()).toEqual(['active', 'retiring'])
    expect(await signerKid()).toBe(rotated.kid)
    const after = await app.call('POST', '/api/v1/licenses/refresh', { bearer: before.body.jwt, body })
    expect(after.status).toBe(200)
    const header = JSON.parse(Buffer.from(after.body.jwt.split('.')[0], 'base64url').toString())
    expect(header.kid).toBe(rotated.kid)
  })

  test('reaches another process within two seconds', async () => {
    const other = await startTestApp({ beside: app })
    const before = await signerKid(other)
    const { body } = await rotate({ activate_in: 0 })
    expect(await signerKid(other)).toBe(before)
    settle()
    expect(await signerKid(other)).toBe(body.kid)
    await other.stop()
  })

  test('asked for twice gives one successor, and says when it takes over', async () => {
    const { body: first } = await rotate({})
    const { status, body } = await rotate({})
    expect([status, body.error, body.reason, body.kid]).toEqual([
      409,
      'conflict',
      'rotation_under_way',
      first.kid,
    ])
    expect(body.not_before).toBe(first.not_before)
    expect(await keys()).toHaveLength(2)
  })

  test('by ten admins at the same moment, through two processes, leaves one key that signs', async () => {
    const other = await startTestApp({ beside: app })
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => rotate({ activate_in: 0 }, n % 2 === 0 ? app : other)),
    )
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true)
    const made = answers.filter(({ status }) => status === 201)
    // Each supersedes the key that the one before it made: a chain without a fork.
    expect(new Set(made.map(({ body }) => body.replaces)).size).toBe(made.length)
    settle()
    const all = await keys()
    expect(all).toHaveLength(made.length + 1)
    expect(all.filter(({ status }) => status === 'active')).toHaveLength(1)
    const active = all.find(({ status }) => status === 'active')
    expect([await signerKid(), await signerKid(other)]).toEqual([active?.kid, active?.kid])
    await other.stop()
  })

  test('of the raw key names whom it breaks, and does nothing until that is confirmed', async () => {
    const before = await app.call('GET', '/api/v1/signing-key?product=keldris')
    const { status, body } = await rotate({ use: 'raw' })
    expect([status, body.error]).toEqual([409, 'confirmation_required'])
    expect(body.breaks).toEqual(['license keys', 'envelopes', 'entitlement tokens'])
    expect(body.message).toContain('pinned its hex public key')
    expect(await statuses('raw')).toEqual(['active'])
    expect((await rotate({ use: 'raw', confirm: false })).status).toBe(422)

    const confirmed = await rotate({ use: 'raw', confirm: true })
    expect(confirmed.status).toBe(201)
    expect((await app.call('GET', '/api/v1/signing-key')).body).toEqual(before.body)
    app.clock.advance(300_000)
    expect((await app.call('GET', '/api/v1/signing-key')).body.public_key).toBe(confirmed.body.public_key)
  })

  test('needs a product that exists and an owner', async () => {
    expect((await rotate({ product: 'nothing' })).body.error).toBe('product_unknown')
    const { body } = await app.admin('POST', '/admin-keys', { name: 'op', role: 'operator' })
    const refused = await app.call('POST', '/api/v1/admin/signing-keys/rotate', {
      bearer: body.admin_key,
      body: { product: 'keldris', use: 'license' },
    })
    expect([refused.status, refused.body.error]).toEqual([403, 'forbidden'])
  })
})

describe('revocation of a stolen key', () => {
  test('makes a successor at once; what the stolen key signed is refused', async () => {
    const body = { instance_id: 'i-1', version: '1' }
    const { body: before } = await app.call('POST', '/api/v1/licenses/token', { bearer: world.apiKey, body })
    const [stolen] = await keys()
    const { status, body: answer } = await revoke(stolen?.kid ?? '', { reason: 'laptop stolen' })
    expect([status, answer.status, answer.kid]).toEqual([200, 'revoked', stolen?.kid])
    expect(await statuses()).toEqual(['active', 'revoked'])
    expect(await signerKid()).toBe(answer.active)
    expect(await jwksKids()).toEqual([answer.active])
    const refused = await app.call('POST', '/api/v1/licenses/refresh', { bearer: before.jwt, body })
    expect(refused.status).toBe(401)
    const audit = await app.admin('GET', `/audit?subject=${stolen?.kid}`)
    expect(audit.body[0]).toMatchObject({ action: 'signing_key.revoke', reason: 'laptop stolen' })
  })

  test('brings a successor that waits for its time forward', async () => {
    const [stolen] = await keys()
    const { body: successor } = await rotate({})
    const { body } = await revoke(stolen?.kid ?? '')
    expect(body.active).toBe(successor.kid)
    expect(await statuses()).toEqual(['active', 'revoked'])
    expect(await signerKid()).toBe(successor.kid)
  })

  test('of a successor that waits calls the rotation off', async () => {
    const [current] = await keys()
    const { body: successor } = await rotate({})
    const { body } = await revoke(successor.kid)
    expect(body.active).toBe(current?.kid)
    app.clock.advance(60 * DAY)
    expect(await statuses()).toEqual(['revoked', 'active'])
    expect((await rotate({ activate_in: 0 })).body.replaces).toBe(current?.kid)
  })

  test('repeated changes nothing', async () => {
    const [stolen] = await keys()
    const { body: first } = await revoke(stolen?.kid ?? '')
    app.clock.advance(1000)
    const { status, body } = await revoke(stolen?.kid ?? '')
    expect([status, body]).toEqual([200, first])
    expect(await keys()).toHaveLength(2)
  })

  test('at the same moment as a rotation, twenty times over, always leaves one key that signs', async () => {
    for (let round = 0; round < 20; round += 1) {
      app.clock.advance(1000)
      const active = (await keys()).find(({ status }) => status === 'active')
      const answers = await Promise.all([rotate({ activate_in: 0 }), revoke(active?.kid ?? '')])
      expect(answers.map(({ status }) => status)).toEqual([201, 200])
      settle()
      const now = (await keys()).filter(({ status }) => status === 'active')
      expect(now).toHaveLength(1)
      expect(await signerKid()).toBe(now[0]?.kid)
    }
  })

  test('of the raw key has to be confirmed too, and an unknown key is not found', async () => {
    const [raw] = await keys('raw')
    expect((await revoke(raw?.kid ?? '')).body.error).toBe('confirmation_required')
    expect((await revoke(raw?.kid ?? '', { confirm: true })).status).toBe(200)
    expect((await app.call('GET', '/api/v1/signing-key')).body.public_key).not.toBe(raw?.public_key)
    for (const kid of ['x'.repeat(43), 'a b', '%00']) expect((await revoke(kid)).status).toBe(404)
  })
})

describe('the list of signing keys', () => {
  test('shows public halves and times, and nothing private, to an auditor too', async () => {
    const { body: auditor } = await app.admin('POST', '/admin-keys', { name: 'a', role: 'auditor' })
    const { status, body, text } = await app.call('GET', '/api/v1/admin/signing-keys', {
      bearer: auditor.admin_key,
    })
    expect(status).toBe(200)
    expect(body).toHaveLength(3)
    expect(body[0].public_key).toMatch(/^[0-9a-f]{64}$/)
    for (const { sealedPrivateKey } of await app.services.db.select().from(signingKeys)) {
      expect(text).not.toContain(sealedPrivateKey)
    }
    expect(Object.keys(body[0])).not.toContain('sealed_private_key')
  })

  test('is paged: each key once, although many were made in the same moment', async () => {
    for (const code of ['a', 'b', 'c']) await app.admin('POST', '/products', { code, name: code })
    const all = (await app.admin('GET', '/signing-keys')).body.map(({ kid }: Key) => kid)
    expect(all).toHaveLength(12)
    const seen: string[] = []
    let next: string | undefined = '/api/v1/admin/signing-keys?limit=3'
    while (next !== undefined) {
      const page = await app.call('GET', next, { bearer: app.adminKey })
      seen.push(...page.body.map(({ kid }: Key) => kid))
      next = /^<(.+)>; rel="next"$/.exec(page.headers.get('Link') ?? '')?.[1]
    }
    expect(seen).toEqual(all)
  })
})
