import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { createWorld, type World } from '../support/world.ts'

// The clock stands still: what a process read once stays young for the whole test.
describe('keys that another process made a moment ago', () => {
  let app: TestApp
  let other: TestApp
  let world: World
  beforeAll(async () => {
    app = await startTestApp()
    other = await startTestApp({ beside: app })
    world = await createWorld(app, { instanceAuth: 'token', license: { seat_limit: null } })
  })
  afterAll(async () => {
    await other.stop()
    await app.stop()
  })

  const exchange = (by: TestApp, of: World) =>
    by.call('POST', '/api/v1/licenses/token', {
      bearer: of.apiKey,
      body: { instance_id: 'i-1', version: '1' },
    })
  const refresh = (by: TestApp, bearer: string) =>
    by.call('POST', '/api/v1/licenses/refresh', { bearer, body: { instance_id: 'i-1', version: '1' } })
  const activate = (by: TestApp, of: World, instance_id: string) =>
    by.call('POST', '/api/v1/licenses/activate', {
      body: { license_key: of.licenseKey, instance_id, product: of.product },
    })
  const rotate = (use: 'license' | 'raw') =>
    app.admin('POST', '/signing-keys/rotate', { product: 'keldris', use, activate_in: 0, confirm: true })

  test('a license JWT signed with a key made meanwhile is accepted, twice in a row', async () => {
    for (let round = 0; round < 2; round += 1) {
      expect((await exchange(other, world)).status).toBe(200)
      expect((await rotate('license')).status).toBe(201)
      const { body } = await exchange(app, world)
      expect((await refresh(other, body.jwt)).status).toBe(200)
    }
  })

  test('many tokens at once that name an unknown key are all judged by the keys as they are', async () => {
    const { body: before } = await exchange(other, world)
    await rotate('license')
    const { body } = await exchange(app, world)
    const forged = before.jwt.replace(/^[^.]+/, (head: string) => {
      const header = { ...JSON.parse(Buffer.from(head, 'base64url').toString()), kid: 'unheard-of' }
      return Buffer.from(JSON.stringify(header)).toString('base64url')
    })
    const tokens = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? forged : body.jwt))
    const answers = await Promise.all(tokens.map((token) => refresh(other, token)))
    expect(answers.map(({ status }) => status)).toEqual(tokens.map((token) => (token === forged ? 401 : 200)))
  })

  test('a license key signed with a raw key made meanwhile is accepted', async () => {
    const earlier = await world.another()
    expect((await activate(other, earlier, 'i-2')).body.status).toBe('active')
    await rotate('raw')
    expect((await activate(other, await world.another(), 'i-3')).body.status).toBe('active')
    expect((await activate(other, earlier, 'i-4')).body.status).toBe('active')
  })

  test('a product made meanwhile can be activated, exchanged and issued keys for at once', async () => {
    expect((await exchange(other, world)).status).toBe(200)
    const fresh = await createWorld(app, { product: 'fresh' })
    expect((await exchange(other, fresh)).status).toBe(200)
    const fresher = await createWorld(app, { product: 'fresher' })
    expect((await activate(other, fresher, 'i-5')).body.status).toBe('active')
    const freshest = await createWorld(app, { product: 'freshest' })
    const issued = await other.admin('POST', '/license-keys', {
      license_id: freshest.licenseId,
      name: 'more',
    })
    expect(issued.status).toBe(201)
  })
})
