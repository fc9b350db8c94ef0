import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { createWorld, type World } from '../support/world.ts'

const UNKNOWN = 'lic_00000000000070008000000000000000'

describe('changes of the terms of a license', () => {
  let app: TestApp
  let world: World
  beforeAll(async () => {
    app = await startTestApp()
    world = await createWorld(app)
  })
  afterAll(() => app.stop())

  const issue = async (more: object = {}) => {
    const { status, body } = await app.admin('POST', '/licenses', {
      product: 'keldris',
      tier: 'pro',
      customer_id: world.customerId,
      ...more,
    })
    expect(status).toBe(201)
    return body
  }
  const changes = (id: string) =>
    query(
      app.databaseUrl,
      `select action, reason, details from audit_log where subject = '${id}' order by id`,
    )

  test('a change replaces what it names and raises the version; repeating it changes nothing', async () => {
    const { id } = await issue({
      label: 'before',
      limits: { max_agents: 1 },
      expires_at: '2027-01-01T00:00:00Z',
    })
    const change = {
      tier: 'enterprise',
      expires_at: null,
      grace_days: 5,
      features_added: ['air_gap'],
      limits: { max_users: 9 },
      seat_limit: 4,
      metadata: { a: [1] },
    }
    const { body } = await app.admin('PATCH', `/licenses/${id}`, { ...change, reason: 'upgrade' })
    expect(body).toMatchObject({ ...change, label: 'before', version: 2 })
    expect(body.limits).toEqual({ max_users: 9 })
    expect(body.effective).toMatchObject({
      limits: { max_agents: -1, max_users: 9 },
      grace_days: 5,
      seat_limit: 4,
    })
    expect((await app.admin('PATCH', `/licenses/${id}`, change)).body).toEqual(body)
    const [, last, ...more] = await changes(id)
    expect(last).toMatchObject({ reason: 'upgrade', details: { tier: 'enterprise', version: 2 } })
    expect(more).toEqual([])
  })

  test('an empty change, a tier of another product and an unknown license are refused', async () => {
    const { id } = await issue()
    expect((await app.admin('PATCH', `/licenses/${id}`, {})).status).toBe(422)
    expect((await app.admin('PATCH', `/licenses/${id}`, { version: 1, reason: 'x' })).status).toBe(422)
    const tier = { product: 'other', code: 'gold', name: 'Gold', rank: 1 }
    expect((await app.admin('POST', '/products', { code: 'other', name: 'Other' })).status).toBe(201)
    expect((await app.admin('POST', '/tiers', tier)).status).toBe(201)
    expect((await app.admin('PATCH', `/licenses/${id}`, { tier: 'gold' })).body.error).toBe('not_found')
    for (const unknown of [UNKNOWN, 'lic_1', 'x']) {
      expect((await app.admin('PATCH', `/licenses/${unknown}`, { tier: 'pro' })).status).toBe(404)
      expect((await app.admin('GET', `/licenses/${unknown}`)).status).toBe(404)
    }
  })

  test('of 20 changes made for the same version one wins, and the others are told the version', async () => {
    const { id } = await issue()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        app.admin('PATCH', `/licenses/${id}`, { label: `writer ${i}`, version: 1 }),
      ),
    )
    const won = answers.filter(({ status }) => status === 200)
    expect(won).toHaveLength(1)
    for (const { status, body } of answers.filter((answer) => answer !== won[0])) {
      expect([status, body.error, body.version, body.expected_version]).toEqual([409, 'conflict', 2, 1])
    }
    expect((await app.admin('GET', `/licenses/${id}`)).body).toMatchObject({
      label: won[0]?.body.label,
      version: 2,
    })
    const stale = await app.admin('PATCH', `/licenses/${id}`, { label: won[0]?.body.label, version: 1 })
    expect(stale.status).toBe(409)
  })

  test('20 changes without a version are all counted', async () => {
    const { id } = await issue()
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => app.admin('PATCH', `/licenses/${id}`, { label: `writer ${i}` })),
    )
    expect((await app.admin('GET', `/licenses/${id}`)).body.version).toBe(21)
  })

  test('renewing moves the end on, never back, and counts from now where the end has passed', async () => {
    const { id } = await issue({ expires_at: '2026-03-11T12:00:00Z' })
    const renew = (body: object, of = id) => app.admin('POST', `/licenses/${of}/renew`, body)
    expect((await renew({ extend_days: 10 })).body.expires_at).toBe('2026-03-21T12:00:00Z')
    const to = { expires_at: '2026-04-01T00:00:00Z' }
    expect((await renew(to)).body).toMatchObject({ expires_at: '2026-04-01T00:00:00Z', version: 3 })
    expect((await renew(to)).body).toMatchObject({ expires_at: '2026-04-01T00:00:00Z', version: 3 })
    expect(await renew({ expires_at: '2026-03-31T00:00:00Z' })).toMatchObject({
      status: 409,
      body: { reason: 'not_later', expires_at: '2026-04-01T00:00:00Z' },
    })
    expect((await renew({ extend_days: 1, version: 2 })).body).toMatchObject({
      error: 'conflict',
      version: 3,
    })
    expect((await renew({})).status).toBe(422)
    expect((await renew({ ...to, extend_days: 1 })).status).toBe(422)
    const lapsed = await issue({ expires_at: '2025-12-01T00:00:00Z' })
    expect(lapsed.status).toBe('expired')
    expect((await renew({ extend_days: 1 }, lapsed.id)).body).toMatchObject({
      expires_at: '2026-03-02T12:00:00Z',
      status: 'active',
    })
    const distant = await issue({ expires_at: '9899-12-31T00:00:00Z' })
    expect((await renew({ extend_days: 2 }, distant.id)).body).toMatchObject({
      error: 'conflict',
      reason: 'too_far',
    })
    const perpetual = await issue()
    expect((await renew({ extend_days: 1 }, perpetual.id)).body.reason).toBe('perpetual')
  })
})
