import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { withRole } from '../support/roles.ts'
import { createWorld, newCustomer, type World } from '../support/world.ts'

const HOUR = 3_600_000
const NOW = Date.parse('2026-03-01T12:00:00Z')

describe('replacing a credential', () => {
  let app: TestApp
  let world: World
  beforeAll(async () => {
    app = await startTestApp()
    world = await createWorld(app)
  })
  afterAll(() => app.stop())

  const call = (path: string, body: object, bearer?: string) =>
    app.call('POST', `/api/v1/${path}`, { body, bearer })
  const seat = (verb: 'activate' | 'validate', license_key: string, instance_id: string) =>
    call(`licenses/${verb}`, { license_key, instance_id, product: 'keldris' })
  const exchange = (key: string, instance_id: string) =>
    call('licenses/token', { instance_id, version: '1' }, key)
  const refresh = (jwt: string, instance_id: string) =>
    call('licenses/refresh', { instance_id, version: '1' }, jwt)
  const rotate = (kind: 'license-keys' | 'api-keys', id: string, body?: object) =>
    app.admin('POST', `/${kind}/${id}/rotate`, body)
  const shownKey = async (kind: string, id: string) =>
    (await app.admin('GET', `/${kind}?limit=200`)).body.find((key: { id: string }) => key.id === id)

  test('a retired license key keeps the seats that it holds, and takes no new one', async () => {
    const own = await world.another()
    const { jwt } = (await seat('activate', own.licenseKey, 'rot-1')).body
    app.clock.advance(HOUR)
    const { status, body } = await rotate('license-keys', own.licenseKeyId, { reason: 'leaked' })
    expect(status).toBe(201)
    expect(body).toMatchObject({
      license_id: own.licenseId,
      name: 'main',
      status: 'active',
      replaces: own.licenseKeyId,
      replaced_by: null,
    })
    expect(body.license_key).not.toBe(own.licenseKey)
    expect(await shownKey('license-keys', own.licenseKeyId)).toMatchObject({
      status: 'retired',
      retired_at: '2026-03-01T13:00:00Z',
      replaced_by: body.id,
    })
    expect((await seat('validate', own.licenseKey, 'rot-1')).body.status).toBe('valid')
    expect((await seat('activate', own.licenseKey, 'rot-1')).body.status).toBe('active')
    expect((await refresh(jwt, 'rot-1')).status).toBe(200)
    const beat = await call('instances/heartbeat', {
      instance_id: 'rot-1',
      product: 'keldris',
      reported_tier: 'pro',
      has_valid_entitlement: true,
      metrics: {},
    })
    expect(beat.body.entitlement_token).toBeTypeOf('string')
    for (const verb of ['activate', 'validate'] as const) {
      expect((await seat(verb, own.licenseKey, 'rot-2')).body).toMatchObject({
        status: 'limit_reached',
        reason: 'license_key_retired',
      })
    }
    expect((await seat('activate', body.license_key, 'rot-2')).body.status).toBe('active')
    expect((await seat('activate', body.license_key, 'rot-1')).body.status).toBe('active')
    app.clock.set(new Date(NOW))
  })

  test('a license key is replaced once, however many ask at once, and none that was revoked is', async () => {
    const own = await world.another()
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => rotate('license-keys', own.licenseKeyId)),
    )
    const [won] = answers.filter(({ status }) => status === 201)
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array(7).fill(409)])
    const refused = answers.find(({ status }) => status === 409)
    expect(refused?.body).toMatchObject({ reason: 'license_key_retired', replaced_by: won?.body.id })
    expect((await app.admin('GET', `/license-keys?license=${own.licenseId}`)).body).toHaveLength(2)
    await app.admin('POST', `/license-keys/${won?.body.id}/revoke`)
    expect((await rotate('license-keys', won?.body.id)).body.reason).toBe('license_key_revoked')
    expect((await rotate('license-keys', 'lk_00000000000070008000000000000000')).status).toBe(404)
    expect((await rotate('license-keys', own.licenseKeyId, { nothing: 1 })).status).toBe(422)
  })

  test('no seat is taken with a license key once it is retired, however close the two come', async () => {
    const own = await world.another({ seat_limit: 20 })
    const [rotated, ...seats] = await Promise.all([
      rotate('license-keys', own.licenseKeyId),
      ...Array.from({ length: 12 }, (_, i) => seat('activate', own.licenseKey, `close-${i}`)),
    ])
    expect(rotated.status).toBe(201)
    for (const { body } of seats) expect(['active', 'limit_reached']).toContain(body.status)
    for (const [i, { body }] of seats.entries()) {
      const again = (await seat('validate', own.licenseKey, `close-${i}`)).body.status
      expect(again).toBe(body.status === 'active' ? 'valid' : 'limit_reached')
    }
  })

  test('an old API key works beside the new one for the overlap, and its sessions go on', async () => {
    const own = await world.another()
    const { jwt } = (await exchange(own.apiKey, 'api-1')).body
    const { status, body } = await rotate('api-keys', own.apiKeyId)
    expect(status).toBe(201)
    expect(body).toMatchObject({ name: 'main', expires_at: null, replaces: own.apiKeyId })
    expect(await shownKey('api-keys', own.apiKeyId)).toMatchObject({
      status: 'active',
      expires_at: '2026-03-02T12:00:00Z',
      replaced_by: body.id,
    })
    for (const key of [own.apiKey, body.api_key]) expect((await exchange(key, 'api-1')).status).toBe(200)
    app.clock.advance(24 * HOUR)
    expect((await exchange(own.apiKey, 'api-1')).body.error).toBe('api_key_expired')
    expect((await exchange(body.api_key, 'api-1')).status).toBe(200)
    expect((await refresh(jwt, 'api-1')).status).toBe(200)
    expect((await rotate('api-keys', own.apiKeyId)).body.reason).toBe('api_key_replaced')
    const now = await rotate('api-keys', body.id, { overlap_hours: 0, name: 'ci', reason: 'leaked' })
    expect(now.body).toMatchObject({ name: 'ci', status: 'active' })
    expect((await exchange(body.api_key, 'api-1')).body.error).toBe('api_key_expired')
    expect((await exchange(now.body.api_key, 'api-1')).status).toBe(200)
    const [audit] = await query(
      app.databaseUrl,
      `select reason, details from audit_log where subject = '${body.id}' and action = 'api_key.rotate'`,
    )
    expect(audit).toMatchObject({ reason: 'leaked', details: { replaced_by: now.body.id } })
    expect(JSON.stringify(audit)).not.toContain(now.body.api_key)
    app.clock.set(new Date(NOW))
  })

  test('the overlap never lengthens the life of an API key, and the new one ends when the old was to', async () => {
    const own = await world.another()
    const order = { license_id: own.licenseId, name: 'short', expires_at: '2026-03-01T14:00:00Z' }
    const { id } = (await app.admin('POST', '/api-keys', order)).body
    expect((await rotate('api-keys', id, { expires_at: '2026-02-01T00:00:00Z' })).status).toBe(422)
    const rotated = (await rotate('api-keys', id)).body
    expect(rotated.expires_at).toBe(order.expires_at)
    expect((await shownKey('api-keys', id)).expires_at).toBe(order.expires_at)
    const perpetual = (await rotate('api-keys', rotated.id, { expires_at: null })).body
    expect(perpetual.expires_at).toBeNull()
    for (const overlap_hours of [-1, 8761, 0.5]) {
      expect((await rotate('api-keys', perpetual.id, { overlap_hours })).status).toBe(422)
    }
    await app.admin('POST', `/licenses/${own.licenseId}/revoke`)
    for (const [kind, key] of [
      ['api-keys', perpetual.id],
      ['license-keys', own.licenseKeyId],
    ] as const) {
      expect((await rotate(kind, key)).body).toMatchObject({ status: 409, reason: 'license_revoked' })
    }
  })

  test('credentials are listed by license, customer and status', async () => {
    const customer = await newCustomer(app)
    const first = await world.another({}, customer)
    const second = await world.another({}, customer)
    const fresh = (await rotate('license-keys', first.licenseKeyId)).body
    await app.admin('POST', `/license-keys/${second.licenseKeyId}/revoke`)
    await rotate('api-keys', first.apiKeyId, { overlap_hours: 0 })
    await app.admin('POST', `/api-keys/${second.apiKeyId}/revoke`)
    const ids = async (path: string) =>
      (await app.admin('GET', path)).body.map((key: { id: string }) => key.id)
    const mine = `customer=${customer}`
    expect(await ids(`/license-keys?${mine}`)).toHaveLength(3)
    expect(await ids(`/license-keys?${mine}&license=${first.licenseId}`)).toHaveLength(2)
    expect(await ids(`/license-keys?${mine}&status=active`)).toEqual([fresh.id])
    expect(await ids(`/license-keys?${mine}&status=retired`)).toEqual([first.licenseKeyId])
    expect(await ids(`/license-keys?${mine}&status=revoked`)).toEqual([second.licenseKeyId])
    expect(await ids(`/license-keys?${mine}&status=expired`)).toEqual([])
    expect(await ids(`/api-keys?${mine}&status=expired`)).toEqual([first.apiKeyId])
    expect(await ids(`/api-keys?${mine}&status=revoked`)).toEqual([second.apiKeyId])
    expect(await ids(`/api-keys?${mine}&status=active`)).toHaveLength(1)
    expect(await ids(`/static-jwts?${mine}&status=active`)).toEqual([])
    for (const wrong of ['api-keys?status=retired', 'license-keys?status=x', 'api-keys?customer=x']) {
      expect((await app.admin('GET', `/${wrong}`)).status, wrong).toBe(422)
    }
  })

  test('replacing one needs an operator', async () => {
    const own = await world.another()
    const support = await withRole(app, 'support')
    const operator = await withRole(app, 'operator')
    for (const path of [`/license-keys/${own.licenseKeyId}/rotate`, `/api-keys/${own.apiKeyId}/rotate`]) {
      expect((await support('POST', path)).status).toBe(403)
      expect((await operator('POST', path)).status).toBe(201)
    }
  })
})
