import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findStaleInstances } from '../../src/domain/anomalies/find-stale.ts'
import { verifyActivation } from '../../src/license/activation.ts'
import { instanceKey, publicId } from '../../src/platform/ids.ts'
import { unixSeconds } from '../../src/platform/time.ts'
import { type Answer, ISSUER, startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { createWorld, type World } from '../support/world.ts'

const DAY = 86_400
let app: TestApp
let world: World
beforeAll(async () => {
  app = await startTestApp()
  world = await createWorld(app, { instanceAuth: 'token' })
})
afterAll(() => app.stop())

const requestOf = (instance_id: string, more: object = {}) => ({
  kind: 'leasehold-activation-request',
  version: 1,
  product: 'keldris',
  instance_id,
  nonce: Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64url'),
  created_at: app.clock.now().toISOString(),
  action: 'none',
  action_seq: null,
  ...more,
})
const upload = (license: string, body: object): Promise<Answer> =>
  app.admin('POST', `/licenses/${license}/offline-activations`, body)
const insOf = (instance: string) => publicId('ins', instanceKey('keldris', instance))
const act = (instance: string, action: string) =>
  app.admin('POST', `/instances/${insOf(instance)}/action`, { action, reason: 'because' })
const verified = async (instanceId: string, token: string) => {
  const { trusted: keys } = await app.services.keyring.current()
  const now = unixSeconds(app.clock.now())
  const read = await verifyActivation(token, {
    issuer: ISSUER,
    product: 'keldris',
    instanceId,
    keys,
    age: 'unexpired',
    now,
  })
  if (!read.ok) throw new Error(read.reason)
  return read
}

describe('the request file of a site without a network', () => {
  test('is answered with a lease to the end of the license, a seat, and the keys to verify it', async () => {
    const own = await world.another({ seat_limit: 1 })
    const request = requestOf('plant-1', {
      hostname: 'h',
      server_version: '1.4.0',
      license_key: own.licenseKey,
    })
    const { status, headers, body } = await upload(own.licenseId, request)
    expect(status).toBe(201)
    const { activation, key_set, kind, version, install_before, ...shown } = body
    expect([kind, version]).toEqual(['leasehold-activation', 1])
    expect(key_set).toBe((await app.call('GET', '/.well-known/leasehold-keys')).text)
    const now = unixSeconds(app.clock.now())
    const { claims, license } = await verified('plant-1', activation)
    expect(claims).toMatchObject({ nonce: request.nonce, action: 'none', iat: now, exp: now + 30 * DAY })
    expect(install_before).toBe('2026-03-31T12:00:00Z')
    expect(license).toMatchObject({
      license_id: own.licenseId,
      instance_id: 'plant-1',
      tier: 'pro',
      exp: now + 366 * DAY,
      license_exp: now + 365 * DAY,
      cred: shown.static_jwt,
    })
    expect(license).not.toHaveProperty('refresh_url')
    expect(shown).toMatchObject({
      license_id: own.licenseId,
      instance: insOf('plant-1'),
      told_action: 'none',
      expires_at: '2027-03-02T12:00:00Z',
      seat_ends_at: '2027-03-31T12:00:00Z',
    })
    const bearer = app.adminKey
    expect((await app.call('GET', headers.get('Location') ?? '', { bearer })).body).toEqual(shown)
    expect((await app.admin('GET', `/licenses/${own.licenseId}/offline-activations`)).body).toEqual([shown])
    const listed = (await app.admin('GET', `/static-jwts?license=${own.licenseId}`)).body
    expect(listed).toMatchObject([{ id: shown.static_jwt, refreshable: false, instance: shown.instance }])
    const instance = (await app.admin('GET', `/instances/${shown.instance}`)).body
    expect(instance).toMatchObject({ instance_id: 'plant-1', hostname: 'h' })
    expect((await app.admin('GET', `/licenses/${own.licenseId}`)).body.seats_in_use).toBe(1)
    const audit = await query(app.databaseUrl, `select * from audit_log where subject = '${shown.id}'`)
    expect(audit).toMatchObject([{ action: 'offline_activation.issue', actor_id: shown.issued_by }])
    expect(JSON.stringify(audit)).not.toContain(request.nonce)
    const full = await upload(own.licenseId, requestOf('plant-2'))
    expect(full.body).toMatchObject({ status: 403, error: 'instance_limit_reached', limit: 1, current: 1 })
    expect((await app.admin('GET', `/instances/${insOf('plant-2')}`)).status).toBe(404)
  })

  test('is answered once, also when it is uploaded twice at the same moment', async () => {
    const own = await world.another()
    for (let round = 0; round < 5; round++) {
      const request = requestOf(`twice-${round % 2}`)
      const answers = await Promise.all([upload(own.licenseId, request), upload(own.licenseId, request)])
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409])
      const made = answers.find(({ status }) => status === 201)?.body.id
      for (const license of [own.licenseId, world.licenseId]) {
        const replay = await upload(license, request)
        expect(replay.body).toMatchObject({ reason: 'activation_request_used', offline_activation: made })
      }
    }
    const rows = await query(
      app.databaseUrl,
      `select count(*)::int as n from static_jwts where name like 'offline%' and license_id = '${uuid(own.licenseId)}'`,
    )
    expect(rows).toEqual([{ n: 5 }])
    expect((await app.admin('GET', `/licenses/${own.licenseId}`)).body.seats_in_use).toBe(2)
  })

  test('is not answered while the instance is killed, and then clears the kill', async () => {
    const own = await world.another()
    await upload(own.licenseId, requestOf('marked'))
    await act('marked', 'kill')
    const request = requestOf('marked', { action: 'kill', action_seq: 7 })
    expect((await upload(own.licenseId, request)).body).toMatchObject({
      status: 409,
      reason: 'instance_killed',
    })
    await act('marked', 'none')
    const cleared = (await upload(own.licenseId, request)).body
    expect(cleared).toMatchObject({ action: 'none', told_action: 'kill' })
    await act('marked', 'downgrade')
    const { body } = await upload(own.licenseId, requestOf('marked'))
    const { claims, license } = await verified('marked', body.activation)
    expect(claims).toMatchObject({ action: 'downgrade', reason: 'because' })
    expect(license).toMatchObject({ tier: 'free', features: [] })
    expect(claims.seq).toBeGreaterThan((await verified('marked', cleared.activation)).claims.seq)
  })

  test.each([
    [{ product: 'other' }, 403, 'product_mismatch'],
    [{ version: 2 }, 422, 'invalid_request'],
    [{ kind: 'leasehold-activation' }, 422, 'invalid_request'],
    [{ nonce: 'short' }, 422, 'invalid_request'],
    [{ days: 367 }, 422, 'invalid_request'],
    [{ days: 0 }, 422, 'invalid_request'],
    [{ more: 1 }, 422, 'invalid_request'],
    [{ license_key: 'a.b' }, 400, 'license_key_malformed'],
  ])('that says %j is refused', async (more, status, error) => {
    const refused = await upload(world.licenseId, requestOf('refused', more))
    expect([refused.status, refused.body.error]).toEqual([status, error])
    expect((await app.admin('GET', `/instances/${insOf('refused')}`)).status).toBe(404)
  })

  test('comes with the key of this license, if with any', async () => {
    const own = await world.another()
    const foreign = requestOf('keyed', { license_key: world.licenseKey })
    expect((await upload(own.licenseId, foreign)).body.error).toBe('license_mismatch')
    await app.admin('POST', `/license-keys/${own.licenseKeyId}/revoke`, {})
    const revoked = requestOf('keyed', { license_key: own.licenseKey })
    expect((await upload(own.licenseId, revoked)).body.error).toBe('license_key_revoked')
  })

  test('is answered under a license in force alone, and for as many days as were named', async () => {
    const own = await world.another()
    await app.admin('POST', `/licenses/${own.licenseId}/suspend`, {})
    const request = requestOf('days', { days: 90 })
    expect((await upload(own.licenseId, request)).body).toMatchObject({
      status: 409,
      reason: 'license_suspended',
    })
    await app.admin('POST', `/licenses/${own.licenseId}/reinstate`, {})
    const { body } = await upload(own.licenseId, request)
    expect(body).toMatchObject({ expires_at: '2026-05-30T12:00:00Z', seat_ends_at: '2026-06-29T12:00:00Z' })
    expect((await upload('lic_00000000000070008000000000000000', request)).status).toBe(404)
  })

  test('makes its instance silent by right, until its lease is over or it is heard', async () => {
    const own = await world.another({ expires_at: null })
    await upload(own.licenseId, requestOf('silent', { days: 1 }))
    const { body } = await upload(own.licenseId, requestOf('heard', { days: 1 }))
    const { license } = await verified('heard', body.activation)
    const { claims } = await verified('heard', body.activation)
    app.clock.advance(3600_000)
    const report = {
      instance_id: 'heard',
      product: 'keldris',
      reported_tier: 'pro',
      has_valid_entitlement: true,
      metrics: {},
    }
    const heard = await app.call('POST', '/api/v1/instances/heartbeat', {
      bearer: claims.grant,
      body: report,
    })
    expect([heard.status, heard.body.action, license.instance_id]).toEqual([200, 'none', 'heard'])
    const stale = async () => {
      await findStaleInstances(app.ctx)
      const found = await query(
        app.databaseUrl,
        `select instance_id from anomalies join instances using (instance_key)
          where type = 'stale_instance' and resolved_at is null and instance_id in ('silent', 'heard')`,
      )
      return found.map((row) => row.instance_id).sort()
    }
    app.clock.advance(3 * DAY * 1000)
    expect(await stale()).toEqual(['heard'])
    app.clock.advance(30 * DAY * 1000)
    expect(await stale()).toEqual(['heard', 'silent'])
  })
})

const uuid = (id: string) => id.slice(4).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
