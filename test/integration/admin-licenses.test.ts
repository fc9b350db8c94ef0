import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { allPages, withRole } from '../support/roles.ts'
import { createWorld, newCustomer, type World } from '../support/world.ts'

const DAY = 86_400_000

describe('licenses of the admin API', () => {
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

  test('a license is issued with what was asked for, and the tier fills in the rest', async () => {
    const license = await issue({
      expires_at: '2026-06-01T02:00:00+02:00',
      features_added: ['sso_sync'],
      features_removed: ['oidc'],
      limits: { max_agents: 7, max_users: -1 },
      seat_limit: 2,
      tenant_id: 't-1',
      label: 'Lab',
      is_trial: true,
      fingerprint: 'fp',
      metadata: { order: 4711 },
    })
    expect(license).toMatchObject({
      id: expect.stringMatching(/^lic_[0-9a-f]{32}$/),
      product: 'keldris',
      tier: 'pro',
      customer_id: world.customerId,
      customer_name: 'Ada',
      company: 'Analytical Engines',
      status: 'active',
      issued_at: '2026-03-01T12:00:00Z',
      expires_at: '2026-06-01T00:00:00Z',
      in_grace: false,
      grace_days: null,
      grace_ends_at: '2026-07-01T00:00:00Z',
      seats_in_use: 0,
      effective: {
        features: ['audit_logs', 'sso_sync'],
        limits: { max_agents: 7, max_users: -1 },
        grace_days: 30,
        seat_limit: 2,
      },
      tenant_id: 't-1',
      label: 'Lab',
      is_trial: true,
      fingerprint: 'fp',
      metadata: { order: 4711 },
      version: 1,
    })
    expect((await app.admin('GET', `/licenses/${license.id}`)).body).toEqual(license)
    expect(await issue()).toMatchObject({
      expires_at: null,
      grace_ends_at: null,
      seat_limit: null,
      limits: {},
      effective: { limits: { max_agents: 100 }, seat_limit: null },
    })
  })

  test.each([
    ['an unknown product', { product: 'nothing' }, 404, 'product_unknown'],
    ['an unknown tier', { tier: 'gold' }, 404, 'not_found'],
    ['an unknown customer', { customer_id: 'cus_00000000000070008000000000000000' }, 404, 'not_found'],
    ['a customer id that is none', { customer_id: 'Ada' }, 422, 'invalid_request'],
    ['a limit below -1', { limits: { max_agents: -2 } }, 422, 'invalid_request'],
    ['a fraction of a limit', { limits: { max_agents: 1.5 } }, 422, 'invalid_request'],
    ['an end that is no time', { expires_at: 'tomorrow' }, 422, 'invalid_request'],
    ['an end past what can be written', { expires_at: '9999-12-31T23:59:59Z' }, 422, 'invalid_request'],
    ['a member that nobody knows', { seats: 5 }, 422, 'invalid_request'],
    ['a negative number of seats', { seat_limit: -1 }, 422, 'invalid_request'],
  ])('%s is refused', async (_, more, status, error) => {
    const body = { product: 'keldris', tier: 'pro', customer_id: world.customerId, ...more }
    expect(await app.admin('POST', '/licenses', body)).toMatchObject({ status, body: { error } })
  })

  test('a license runs from active through its grace to expired, by time alone', async () => {
    const { id } = await issue({ expires_at: '2026-03-02T12:00:00Z', grace_days: 1 })
    const at = async (iso: string) => {
      app.clock.set(new Date(iso))
      const { body } = await app.admin('GET', `/licenses/${id}`)
      const listed = async (status: string) =>
        (await app.admin('GET', `/licenses?status=${status}&limit=200`)).body.some(
          (license: { id: string }) => license.id === id,
        )
      expect(await listed('in_grace')).toBe(body.in_grace)
      return [body.status, body.in_grace, await listed('active'), await listed('expired')]
    }
    expect(await at('2026-03-02T12:00:00.999Z')).toEqual(['active', false, true, false])
    expect(await at('2026-03-02T12:00:01Z')).toEqual(['active', true, true, false])
    expect(await at('2026-03-03T12:00:00.999Z')).toEqual(['active', true, true, false])
    expect(await at('2026-03-03T12:00:01Z')).toEqual(['expired', false, false, true])
    app.clock.set(new Date('2026-03-01T12:00:00Z'))
  })

  test('suspend, reinstate and revoke follow one another, and revoked is final', async () => {
    const { id } = await issue()
    const order = (verb: string, body?: object) => app.admin('POST', `/licenses/${id}/${verb}`, body)
    expect((await order('suspend', { why: 'x' })).status).toBe(422)
    expect((await order('suspend', { reason: 'unpaid' })).body).toMatchObject({
      status: 'suspended',
      status_reason: 'unpaid',
      version: 2,
    })
    expect((await order('reinstate')).body).toMatchObject({
      status: 'active',
      status_reason: null,
      version: 3,
    })
    expect((await order('reinstate', { reason: 'again' })).body).toMatchObject({ version: 3 })
    expect((await order('revoke', { reason: 'fraud' })).body).toMatchObject({ status: 'revoked', version: 4 })
    expect((await order('revoke', { reason: 'fraud' })).body).toMatchObject({ status: 'revoked', version: 4 })
    for (const [verb, body] of [
      ['reinstate', {}],
      ['suspend', { reason: 'x' }],
      ['renew', { extend_days: 1 }],
    ] as const) {
      expect(await order(verb, body)).toMatchObject({
        status: 409,
        body: { error: 'conflict', reason: 'license_revoked', fix: expect.any(String) },
      })
    }
    expect((await app.admin('PATCH', `/licenses/${id}`, { label: 'x' })).status).toBe(409)
    expect((await changes(id)).map((row) => [row.action, row.reason])).toEqual([
      ['license.issue', null],
      ['license.suspend', 'unpaid'],
      ['license.reinstate', null],
      ['license.revoke', 'fraud'],
    ])
  })

  test.each([
    ['suspend', 'suspended'],
    ['revoke', 'revoked'],
  ])('%s needs neither reason nor body, even where JSON is announced', async (verb, status) => {
    for (const given of [{}, { body: {} }, { headers: { 'Content-Type': 'application/json' } }]) {
      const { id } = await issue()
      const answer = await app.call('POST', `/api/v1/admin/licenses/${id}/${verb}`, {
        bearer: app.adminKey,
        ...given,
      })
      expect(answer).toMatchObject({ status: 200, body: { status, status_reason: null } })
      expect((await changes(id)).map((row) => [row.action, row.reason])).toContainEqual([
        `license.${verb}`,
        null,
      ])
    }
  })

  test('50 identical suspends at once all answer the same and leave one change', async () => {
    const { id } = await issue()
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => app.admin('POST', `/licenses/${id}/suspend`, { reason: 'unpaid' })),
    )
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(answers[0]).toMatchObject({ status: 200, body: { status: 'suspended', version: 2 } })
    expect((await changes(id)).map((row) => row.action)).toEqual(['license.issue', 'license.suspend'])
    const uuid = id.slice(4).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
    const events = await query(
      app.databaseUrl,
      `select type, product_id from events where license_id = '${uuid}'`,
    )
    expect(events).toHaveLength(2)
    expect(events).toContainEqual({ type: 'license.changed', product_id: expect.any(String) })
  })

  test('seats in use are those whose lease still runs', async () => {
    const own = await world.another({ seat_limit: 5 })
    const seat = (verb: string, instance_id: string) =>
      app.call('POST', `/api/v1/licenses/${verb}`, {
        body: { license_key: own.licenseKey, instance_id, product: 'keldris' },
      })
    for (const id of ['s-1', 's-2', 's-3']) expect((await seat('activate', id)).body.status).toBe('active')
    await seat('deactivate', 's-3')
    const inUse = async () => (await app.admin('GET', `/licenses/${own.licenseId}`)).body.seats_in_use
    expect(await inUse()).toBe(2)
    app.clock.advance(32 * DAY)
    expect(await inUse()).toBe(0)
  })

  test('the list filters, and its pages hold every license once, newest first', async () => {
    const customer = await newCustomer(app)
    const issued = []
    for (let i = 0; i < 7; i += 1) {
      const { id } = await issue({ customer_id: customer, expires_at: `2026-0${i + 3}-01T00:00:00Z` })
      issued.unshift(id)
    }
    await app.admin('POST', `/licenses/${issued[0]}/suspend`, { reason: 'x' })
    const ids = async (filter: string) =>
      (await app.admin('GET', `/licenses?customer=${customer}&${filter}`)).body.map(
        (license: { id: string }) => license.id,
      )
    expect(await ids('')).toEqual(issued)
    expect(await ids('status=suspended')).toEqual([issued[0]])
    expect(await ids('expiring_before=2026-05-01T00:00:00Z')).toEqual(issued.slice(-2))
    expect(await ids('product=other')).toEqual([])
    expect(await ids('tier=pro')).toEqual(issued)
    expect(await ids('tier=free')).toEqual([])
    await app.admin('PATCH', `/licenses/${issued[1]}`, { label: 'Berlin 100%', tenant_id: 'acme-eu' })
    expect(await ids('text=berlin%20100%25')).toEqual([issued[1]])
    expect(await ids('text=ACME')).toEqual([issued[1]])
    expect(await ids('text=analytical')).toEqual(issued)
    expect(await ids('text=berlin_100')).toEqual([])
    const pages = await allPages(app, `/licenses?customer=${customer}&limit=3`)
    expect(pages.map((page) => page.length)).toEqual([3, 3, 1])
    expect(pages.flat().map(({ id }) => id)).toEqual(issued)
    for (const wrong of [
      'limit=0',
      'limit=201',
      'limit=x',
      'after=x',
      'status=dead',
      'text=%00',
      'nothing=1',
      'customer=x',
    ]) {
      expect((await app.admin('GET', `/licenses?${wrong}`)).status).toBe(422)
    }
  })

  test('auditors and support read, operators write, and nobody without a key does either', async () => {
    const { id } = await issue()
    const body = { product: 'keldris', tier: 'pro', customer_id: world.customerId }
    const writes = [
      ['POST', '/licenses', body],
      ['PATCH', `/licenses/${id}`, { label: 'x' }],
      ['POST', `/licenses/${id}/suspend`, { reason: 'x' }],
      ['POST', `/licenses/${id}/reinstate`, undefined],
      ['POST', `/licenses/${id}/renew`, { expires_at: '2029-01-01T00:00:00Z' }],
      ['POST', `/licenses/${id}/revoke`, { reason: 'x' }],
    ] as const
    for (const role of ['auditor', 'support'] as const) {
      const call = await withRole(app, role)
      expect((await call('GET', '/licenses')).status).toBe(200)
      expect((await call('GET', `/licenses/${id}`)).status).toBe(200)
      for (const [method, path, given] of writes) {
        expect(await call(method, path, given)).toMatchObject({ status: 403, body: { error: 'forbidden' } })
      }
    }
    for (const [method, path, given] of writes) {
      expect((await app.call(method, `/api/v1/admin${path}`, { body: given })).status).toBe(401)
    }
    const operator = await withRole(app, 'operator')
    const statuses = []
    for (const [method, path, given] of writes) statuses.push((await operator(method, path, given)).status)
    expect(statuses).toEqual([201, 200, 200, 200, 409, 200])
  })
})
