import { createHash, createPublicKey, verify } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EnvelopePayload } from '../../src/contract/claims.ts'
import { instanceKey, publicId } from '../../src/platform/ids.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { allPages, withRole } from '../support/roles.ts'
import { createWorld, type World } from '../support/world.ts'

const NOW = Date.parse('2026-03-01T12:00:00Z') / 1000
const YEAR_END = Date.parse('2027-03-01T12:00:00Z') / 1000
const DAY = 86_400
const UNLIMITED = 2_147_483_647

let app: TestApp
let world: World
beforeAll(async () => {
  app = await startTestApp()
  world = await createWorld(app, {
    license: { tenant_id: 'acme', label: 'ACME prod', limits: { max_users: -1 } },
  })
})
afterAll(() => app.stop())

const issue = (id = world.licenseId, body?: object) => app.admin('POST', `/licenses/${id}/envelope`, body)

/** The signature by Node's own hand, then the payload. */
async function opened(text: string): Promise<{ payload: EnvelopePayload; bytes: string }> {
  const [payload = '', signature = '', ...rest] = text.split('.')
  expect(rest).toEqual([])
  const bytes = Buffer.from(payload, 'base64')
  expect([bytes.toString('base64'), Buffer.from(signature, 'base64').toString('base64')]).toEqual([
    payload,
    signature,
  ])
  const { body } = await app.call('GET', '/api/v1/signing-key?product=keldris')
  const x = Buffer.from(body.public_key, 'hex').toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  expect(verify(null, bytes, key, Buffer.from(signature, 'base64'))).toBe(true)
  return { payload: JSON.parse(bytes.toString()), bytes: bytes.toString() }
}

describe('an envelope from the server', () => {
  test('carries what the license gives, to its end, and is listed without its text', async () => {
    const { status, headers, body } = await issue()
    expect(status).toBe(201)
    const { payload, bytes } = await opened(body.envelope)
    expect(payload).toEqual({
      exp: YEAR_END,
      features: ['audit_logs', 'oidc'],
      gracePeriodDays: 30,
      iat: NOW,
      label: 'ACME prod',
      licenseId: world.licenseId.slice(4).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
      limits: { max_agents: 100, max_users: UNLIMITED },
      tenantId: 'acme',
      tier: 'pro',
    })
    expect(Object.keys(payload)).toEqual(Object.keys(payload).toSorted())
    expect(bytes).not.toMatch(/\s(?!prod)/)
    const { envelope: _, ...shown } = body
    expect(shown).toEqual({
      id: expect.stringMatching(/^env_[0-9a-f]{32}$/),
      license_id: world.licenseId,
      tenant_id: 'acme',
      label: 'ACME prod',
      instance: null,
      kid: createHash('sha256')
        .update(`{"crv":"Ed25519","kty":"OKP","x":"${await publicX()}"}`)
        .digest('base64url'),
      issued_at: '2026-03-01T12:00:00Z',
      expires_at: '2027-03-01T12:00:00Z',
      grace_ends_at: '2027-03-31T12:00:00Z',
      issued_by: expect.stringMatching(/^adm_/),
    })
    expect(headers.get('Location')).toBe(`/api/v1/admin/licenses/${world.licenseId}/envelope/${body.id}`)
    expect((await app.call('GET', headers.get('Location') ?? '', { bearer: app.adminKey })).body).toEqual(
      shown,
    )
    expect((await app.admin('GET', `/licenses/${world.licenseId}/envelope`)).body).toEqual([shown])
    const rows = await query(app.databaseUrl, 'select * from envelopes')
    expect(JSON.stringify(rows)).not.toContain(body.envelope.slice(0, 40))
    const [audit] = await query(
      app.databaseUrl,
      `select action, actor_id, details from audit_log where subject = '${body.id}'`,
    )
    expect(audit).toMatchObject({
      action: 'envelope.issue',
      actor_id: shown.issued_by,
      details: { license_id: world.licenseId, kid: shown.kid, expires_at: '2027-03-01T12:00:00Z' },
    })
    expect(JSON.stringify(audit)).not.toContain(body.envelope.slice(0, 40))
  })

  const publicX = async () =>
    Buffer.from(
      (await app.call('GET', '/api/v1/signing-key?product=keldris')).body.public_key,
      'hex',
    ).toString('base64url')

  test('can be given less: an earlier end, smaller limits, one instance, no label', async () => {
    const own = await world.another({ tenant_id: 'globex', label: 'Globex' })
    const order = {
      expires_at: '2026-06-01T00:00:00Z',
      label: null,
      instance_id: 'plant-7',
      limits: { max_agents: 40 },
    }
    const { status, body } = await issue(own.licenseId, order)
    expect([status, body.expires_at, body.grace_ends_at]).toEqual([
      201,
      '2026-06-01T00:00:00Z',
      '2026-07-01T00:00:00Z',
    ])
    expect(body.instance).toBe(publicId('ins', instanceKey('keldris', 'plant-7')))
    const { payload } = await opened(body.envelope)
    expect(payload).toMatchObject({ instanceId: 'plant-7', limits: { max_agents: 40 } })
    expect('label' in payload).toBe(false)
  })

  test.each([
    [{ expires_at: '2027-03-01T12:00:01Z' }, '/expires_at', /after the end of the license/],
    [{ expires_at: '2026-03-01T12:00:00Z' }, '/expires_at', /in the past/],
    [{ limits: { max_agents: 101 } }, '/limits/max_agents', /more than the license allows, 100/],
    [{ limits: { max_agents: -1 } }, '/limits/max_agents', /more than the license allows/],
    [{ limits: { max_pods: 1 } }, '/limits/max_pods', /no limit of the license/],
    [{ limits: { max_users: UNLIMITED } }, '/limits/max_users', /larger than an envelope can say/],
    [{ grace_days: 90 }, '', /Unrecognized/],
  ])('is never given more than the license: %j', async (order, pointer, message) => {
    const { status, body } = await issue(world.licenseId, order)
    expect([status, body.error]).toEqual([422, 'invalid_request'])
    expect(body.errors).toEqual([{ pointer, message: expect.stringMatching(message) }])
    expect(body.fix).toEqual(expect.any(String))
  })

  test('of a perpetual license is perpetual, of one in grace in grace', async () => {
    const forever = await world.another({ tenant_id: 'acme', expires_at: null })
    const perpetual = (await issue(forever.licenseId)).body
    expect([perpetual.expires_at, perpetual.grace_ends_at]).toEqual([null, null])
    expect((await opened(perpetual.envelope)).payload.exp).toBe(253_402_300_799)
    const over = await world.another({ tenant_id: 'acme', expires_at: '2026-02-28T12:00:00Z' })
    const inGrace = (await issue(over.licenseId)).body
    expect((await opened(inGrace.envelope)).payload).toMatchObject({ exp: NOW - DAY, gracePeriodDays: 30 })
  })

  test('is refused without a tenant, and of a license that is suspended, revoked or past its grace', async () => {
    const nobody = await world.another()
    const unnamed = await issue(nobody.licenseId)
    expect([unnamed.status, unnamed.body.reason]).toEqual([422, 'tenant_id_missing'])
    const own = await world.another({ tenant_id: 'acme' })
    await app.admin('POST', `/licenses/${own.licenseId}/suspend`, {})
    expect([(await issue(own.licenseId)).status, (await issue(own.licenseId)).body.reason]).toEqual([
      409,
      'license_suspended',
    ])
    await app.admin('POST', `/licenses/${own.licenseId}/reinstate`, {})
    expect((await issue(own.licenseId)).status).toBe(201)
    await app.admin('POST', `/licenses/${own.licenseId}/revoke`, {})
    expect((await issue(own.licenseId)).body.reason).toBe('license_revoked')
    const past = await world.another({ tenant_id: 'acme', expires_at: '2026-01-30T11:59:59Z' })
    expect((await issue(past.licenseId)).body).toMatchObject({ status: 409, reason: 'license_expired' })
    expect((await app.admin('GET', `/licenses/${past.licenseId}/envelope`)).body).toEqual([])
  })

  test('obeys the action of the instance that it is bound to', async () => {
    const own = await world.another({ tenant_id: 'acme' })
    await app.call('POST', '/api/v1/licenses/token', {
      bearer: own.apiKey,
      body: { instance_id: 'marked', version: '1' },
    })
    const id = publicId('ins', instanceKey('keldris', 'marked'))
    const bound = { instance_id: 'marked' }
    await app.admin('POST', `/instances/${id}/action`, { action: 'downgrade' })
    expect((await opened((await issue(own.licenseId, bound)).body.envelope)).payload).toMatchObject({
      tier: 'free',
      features: [],
    })
    await app.admin('POST', `/instances/${id}/action`, { action: 'kill' })
    expect((await issue(own.licenseId, bound)).body).toMatchObject({ status: 409, reason: 'instance_killed' })
    expect((await issue(own.licenseId)).status).toBe(201)
  })

  test('is signed with the key of its product that is active now', async () => {
    const before = (await issue()).body.kid
    app.clock.advance(1000)
    await app.admin('POST', '/signing-keys/rotate', {
      product: 'keldris',
      use: 'raw',
      activate_in: 0,
      confirm: true,
    })
    const { body } = await issue()
    await opened(body.envelope)
    expect(body.kid).not.toBe(before)
  })

  test('is issued by operators and read by auditors, of this license alone', async () => {
    const own = await world.another({ tenant_id: 'acme' })
    const operator = await withRole(app, 'operator')
    const auditor = await withRole(app, 'auditor')
    const path = `/licenses/${own.licenseId}/envelope`
    expect((await auditor('POST', path)).status).toBe(403)
    const made: string[] = []
    for (let i = 0; i < 3; i++) made.unshift((await operator('POST', path)).body.id)
    expect((await auditor('GET', `${path}/${made[0]}`)).status).toBe(200)
    const pages = await allPages(app, `${path}?limit=2`)
    expect(pages.map((page) => page.map(({ id }) => id))).toEqual([made.slice(0, 2), made.slice(2)])
    const elsewhere = `/licenses/${world.licenseId}/envelope/${made[0]}`
    expect((await app.admin('GET', elsewhere)).status).toBe(404)
    expect((await app.admin('GET', '/licenses/lic_00000000000070008000000000000000/envelope')).status).toBe(
      404,
    )
    expect((await issue('lic_00000000000070008000000000000000')).status).toBe(404)
  })
})
