import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { claimsOf, verifyByJwks } from '../support/verify.ts'
import { createWorld, PRO_FEATURES, type World } from '../support/world.ts'

const DAY = 86_400_000
const NOW = Date.parse('2026-03-01T12:00:00Z') / 1000
const UNKNOWN = '_00000000000070008000000000000000'

describe('static license JWTs', () => {
  let app: TestApp
  let world: World
  beforeAll(async () => {
    app = await startTestApp()
    world = await createWorld(app)
  })
  afterAll(() => app.stop())

  const post = (path: string, body?: object) => app.admin('POST', path, body)
  const newLicense = async (more: object = {}): Promise<string> => {
    const terms = { product: 'keldris', tier: 'pro', customer_id: world.customerId }
    return (await post('/licenses', { ...terms, ...more })).body.id
  }
  const refresh = (bearer: string, instance_id: string) =>
    app.call('POST', '/api/v1/licenses/refresh', { bearer, body: { instance_id, version: '1' } })
  const issue = (license: string, body: object) => post(`/licenses/${license}/jwt`, body)

  test('a refreshable one names itself, where to refresh, and binds to the first instance that does', async () => {
    const license = await newLicense()
    const { status, body } = await issue(license, { life: 3600, refreshable: true })
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.stringMatching(/^sjw_[0-9a-f]{32}$/),
      jwt: expect.any(String),
      expires_at: '2026-03-01T13:00:00Z',
    })
    const { payload } = await verifyByJwks(app.call, body.jwt)
    expect(payload).toMatchObject({
      jti: body.id,
      cred: body.id,
      license_id: license,
      tier: 'pro',
      features: PRO_FEATURES,
      iat: NOW,
      exp: NOW + 3600,
      refresh_url: 'https://license.example.com/api/v1/licenses/refresh',
    })
    for (const absent of ['instance_id', 'act', 'in_grace']) expect(payload).not.toHaveProperty(absent)
    expect((await refresh(body.jwt, 'st-1')).status).toBe(200)
    expect((await refresh(body.jwt, 'st-2')).body.error).toBe('instance_mismatch')
    const [row] = (await app.admin('GET', `/static-jwts?license=${license}`)).body
    const [instance] = (await app.admin('GET', '/instances?text=st-1')).body
    expect(row).toMatchObject({ id: body.id, refreshable: true, instance: instance.id, status: 'active' })
    expect(row).not.toHaveProperty('jwt')
  })

  test('one without refresh carries no refresh_url and is refused at refresh', async () => {
    const { body } = await issue(await newLicense(), {
      life: 3600,
      refreshable: false,
      instance_id: 'st-3',
    })
    expect(claimsOf(body.jwt)).toMatchObject({ instance_id: 'st-3' })
    expect(claimsOf(body.jwt)).not.toHaveProperty('refresh_url')
    expect((await refresh(body.jwt, 'st-3')).body.error).toBe('refresh_not_allowed')
  })

  test('its life ends at the latest with the grace of the license, and in the grace it says so', async () => {
    const license = await newLicense({ expires_at: '2026-03-02T12:00:00Z', grace_days: 2 })
    const order = { life: 30 * 86_400, refreshable: true }
    const { body } = await issue(license, order)
    expect(body.expires_at).toBe('2026-03-04T12:00:00Z')
    app.clock.advance(2 * DAY)
    expect(claimsOf((await issue(license, order)).body.jwt)).toMatchObject({
      in_grace: true,
      exp: Date.parse('2026-03-04T12:00:00Z') / 1000,
    })
    app.clock.advance(DAY + 1000)
    expect((await issue(license, order)).body.reason).toBe('license_expired')
    app.clock.set(new Date(NOW * 1000))
  })

  test('none is issued while the license is suspended or revoked', async () => {
    const license = await newLicense()
    await post(`/licenses/${license}/suspend`, { reason: 'x' })
    const order = { life: 3600, refreshable: true }
    expect(await issue(license, order)).toMatchObject({
      status: 409,
      body: { reason: 'license_suspended' },
    })
    await post(`/licenses/${license}/revoke`, { reason: 'x' })
    expect(await issue(license, order)).toMatchObject({ status: 409, body: { reason: 'license_revoked' } })
    expect((await issue(`lic${UNKNOWN}`, order)).status).toBe(404)
    expect((await app.admin('GET', `/static-jwts?license=${license}`)).body).toEqual([])
  })

  test('bound to an instance that was downgraded it grants the lowest tier, to a killed one nothing', async () => {
    const license = await newLicense()
    await app.call('POST', '/api/v1/instances/register', {
      body: { instance_id: 'st-4', product: 'keldris' },
    })
    const [{ id }] = (await app.admin('GET', '/instances?text=st-4')).body
    const order = { life: 3600, refreshable: true, instance_id: 'st-4' }
    await post(`/instances/${id}/action`, { action: 'downgrade' })
    expect(claimsOf((await issue(license, order)).body.jwt)).toMatchObject({ tier: 'free', features: [] })
    await post(`/instances/${id}/action`, { action: 'kill' })
    expect(await issue(license, order)).toMatchObject({ status: 409, body: { reason: 'instance_killed' } })
  })

  test('revoking one ends its refreshing', async () => {
    const { body } = await issue(await newLicense(), { life: 3600, refreshable: true })
    expect((await post(`/static-jwts/${body.id}/revoke`, { reason: 'lost laptop' })).body).toMatchObject({
      status: 'revoked',
      end_sessions: true,
    })
    expect((await refresh(body.jwt, 'st-5')).body.error).toBe('session_ended')
  })
})
