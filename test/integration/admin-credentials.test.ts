import { createPublicKey, verify } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { allPages, withRole } from '../support/roles.ts'
import { createWorld, type World } from '../support/world.ts'

const DAY = 86_400_000
const NOW = Date.parse('2026-03-01T12:00:00Z') / 1000
const UNKNOWN = '_00000000000070008000000000000000'

describe('the credentials of a license', () => {
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
  const newKey = (license_id: string, more: object = {}) =>
    post('/license-keys', { license_id, name: 'k', ...more })
  const exchange = (bearer: string, instance_id: string) =>
    app.call('POST', '/api/v1/licenses/token', { bearer, body: { instance_id, version: '1' } })
  const refresh = (bearer: string, instance_id: string) =>
    app.call('POST', '/api/v1/licenses/refresh', { bearer, body: { instance_id, version: '1' } })
  const audited = (subject: string) =>
    query(app.databaseUrl, `select action, details from audit_log where subject = '${subject}' order by id`)

  describe('API keys', () => {
    test('an API key is shown once, works, and is stored only as a hash', async () => {
      const license = await newLicense()
      const { status, body } = await post('/api-keys', { license_id: license, name: 'ci' })
      expect(status).toBe(201)
      const { api_key, ...shown } = body
      expect(api_key).toMatch(/^sk-[0-9A-Za-z]{49}$/)
      expect(shown).toEqual({
        id: expect.stringMatching(/^key_[0-9a-f]{32}$/),
        license_id: license,
        name: 'ci',
        prefix: api_key.slice(0, 11),
        replaced_by: null,
        status: 'active',
        expires_at: null,
        revoked_at: null,
        end_sessions: false,
        created_at: '2026-03-01T12:00:00Z',
      })
      expect((await app.admin('GET', `/api-keys?license=${license}`)).body).toEqual([shown])
      expect((await exchange(api_key, 'k-1')).status).toBe(200)
    })

    test('revoking it refuses the key and leaves its sessions, unless they are to end too', async () => {
      const license = await newLicense()
      const issued = (await post('/api-keys', { license_id: license, name: 'ci' })).body
      const { jwt } = (await exchange(issued.api_key, 'k-2')).body
      const revoke = (body?: object) => post(`/api-keys/${issued.id}/revoke`, body)
      const first = await revoke()
      expect(first).toMatchObject({ status: 200, body: { status: 'revoked', end_sessions: false } })
      expect((await exchange(issued.api_key, 'k-2')).body.error).toBe('api_key_revoked')
      expect((await refresh(jwt, 'k-2')).status).toBe(200)
      app.clock.advance(1000)
      expect((await revoke({})).body).toEqual(first.body)
      const last = await revoke({ end_sessions: true, reason: 'stolen' })
      expect(last.body).toEqual({ ...first.body, end_sessions: true })
      expect((await refresh(jwt, 'k-2')).body.error).toBe('session_ended')
      expect((await revoke({ end_sessions: false })).body).toEqual(last.body)
      expect((await audited(issued.id)).map((row) => row.action)).toEqual([
        'api_key.issue',
        'api_key.revoke',
        'api_key.revoke',
      ])
      app.clock.set(new Date(NOW * 1000))
    })

    test('a key expires at its own time', async () => {
      const license = await newLicense()
      const key = (expires_at: string) => post('/api-keys', { license_id: license, name: 'x', expires_at })
      expect(await key('2026-03-01T12:00:00Z')).toMatchObject({
        status: 422,
        body: { errors: [{ pointer: '/expires_at' }] },
      })
      const { body } = await key('2026-03-02T12:00:00Z')
      app.clock.advance(DAY)
      expect((await app.admin('GET', `/api-keys?license=${license}`)).body[0].status).toBe('expired')
      expect((await exchange(body.api_key, 'k-3')).body.error).toBe('api_key_expired')
      app.clock.set(new Date(NOW * 1000))
    })

    test('none is issued for a license that was revoked or is unknown', async () => {
      const license = await newLicense()
      await post(`/licenses/${license}/revoke`, { reason: 'x' })
      expect(await post('/api-keys', { license_id: license, name: 'x' })).toMatchObject({
        status: 409,
        body: { reason: 'license_revoked' },
      })
      expect((await post('/api-keys', { license_id: `lic${UNKNOWN}`, name: 'x' })).status).toBe(404)
      expect((await post(`/api-keys/key${UNKNOWN}/revoke`)).status).toBe(404)
      expect((await post('/api-keys/x/revoke')).status).toBe(404)
    })

    test('the list has pages, newest first', async () => {
      const license = await newLicense()
      const ids = []
      for (let i = 0; i < 5; i += 1) {
        ids.unshift((await post('/api-keys', { license_id: license, name: `k${i}` })).body.id)
      }
      const pages = await allPages(app, `/api-keys?license=${license}&limit=2`)
      expect(pages.map((page) => page.map(({ id }) => id))).toEqual([
        ids.slice(0, 2),
        ids.slice(2, 4),
        ids.slice(4),
      ])
    })
  })

  describe('license keys', () => {
    test('a key verifies offline with node:crypto alone and says what it is a key to', async () => {
      const license = await newLicense({ expires_at: '2027-01-01T00:00:00Z' })
      const { status, body } = await newKey(license, { offline: true })
      expect(status).toBe(201)
      const [payload = '', signature = ''] = body.license_key.split('.')
      const { public_key } = (await app.call('GET', '/api/v1/signing-key?product=keldris')).body
      const key = createPublicKey({
        key: Buffer.from(`302a300506032b6570032100${public_key}`, 'hex'),
        format: 'der',
        type: 'spki',
      })
      const bytes = Buffer.from(payload, 'base64url')
      expect(verify(null, bytes, key, Buffer.from(signature, 'base64url'))).toBe(true)
      expect(bytes.toString()).toMatch(/^\{/)
      expect(JSON.parse(bytes.toString())).toEqual({
        product: 'keldris',
        tier: 'pro',
        customer_id: world.customerId,
        license_id: license,
        offline: true,
        issued_at: NOW,
        expires_at: Date.parse('2027-01-01T00:00:00Z') / 1000,
      })
      const { license_key, ...shown } = body
      expect(shown).toMatchObject({ offline: true, prefix: signature.slice(0, 12), status: 'active' })
      expect(JSON.stringify((await app.admin('GET', `/license-keys?license=${license}`)).body)).toBe(
        JSON.stringify([shown]),
      )
      expect(license_key).not.toContain('=')
    })

    test('a perpetual license makes a key to the last second that can be written', async () => {
      const { body } = await newKey(await newLicense())
      const payload = JSON.parse(Buffer.from(body.license_key.split('.')[0], 'base64url').toString())
      expect(payload).toMatchObject({ expires_at: 253_402_300_799, offline: false })
    })

    test('keys of one license and second differ, a few ahead of the clock, and then it is asked to wait', async () => {
      const license = await newLicense()
      const answers: Answer[] = await Promise.all(Array.from({ length: 15 }, () => newKey(license)))
      const issued = answers.filter(({ status }) => status === 201).map(({ body }) => body)
      expect(issued).toHaveLength(11)
      expect(new Set(issued.map((key) => key.license_key)).size).toBe(11)
      expect(new Set(issued.map((key) => key.prefix)).size).toBe(11)
      const refused = answers.filter(({ status }) => status !== 201)
      expect(refused.map(({ status, body }) => [status, body.reason])).toEqual(
        Array(4).fill([409, 'issued_too_fast']),
      )
      expect(refused[0]?.headers.get('Retry-After')).toBe('10')
      for (const [i, key] of issued.entries()) {
        const body = { license_key: key.license_key, instance_id: `i-${i}`, product: 'keldris' }
        expect((await app.call('POST', '/api/v1/licenses/activate', { body })).body.status).toBe('active')
      }
    })

    test('an offline key is not issued while the license is suspended, revoked, in its grace or past it', async () => {
      const reasonOf = async (license: string) => {
        const { status, body } = await newKey(license, { offline: true })
        return [status, body.reason]
      }
      const license = await newLicense()
      await post(`/licenses/${license}/suspend`, { reason: 'x' })
      expect(await reasonOf(license)).toEqual([409, 'license_suspended'])
      await post(`/licenses/${license}/revoke`, { reason: 'x' })
      expect(await reasonOf(license)).toEqual([409, 'license_revoked'])
      expect(await reasonOf(await newLicense({ expires_at: '2026-02-20T00:00:00Z' }))).toEqual([
        409,
        'license_in_grace',
      ])
      expect(await reasonOf(await newLicense({ expires_at: '2026-01-01T00:00:00Z' }))).toEqual([
        409,
        'license_expired',
      ])
    })

    test('a key that is no lease of its own stays active when its license is renewed, an offline one expires', async () => {
      const license = await newLicense({ expires_at: '2026-03-02T12:00:00Z' })
      await newKey(license)
      await newKey(license, { offline: true })
      await post(`/licenses/${license}/renew`, { extend_days: 365 })
      app.clock.advance(2 * DAY)
      const { body } = await app.admin('GET', `/license-keys?license=${license}`)
      expect(body.map((key: { offline: boolean; status: string }) => [key.offline, key.status])).toEqual([
        [true, 'expired'],
        [false, 'active'],
      ])
      app.clock.set(new Date(NOW * 1000))
    })

    test('revoking one denies it from then on', async () => {
      const license = await newLicense()
      const { body } = await newKey(license)
      const seat = () =>
        app.call('POST', '/api/v1/licenses/activate', {
          body: { license_key: body.license_key, instance_id: 'lk-1', product: 'keldris' },
        })
      expect((await seat()).body.status).toBe('active')
      expect((await post(`/license-keys/${body.id}/revoke`)).body).toMatchObject({ status: 'revoked' })
      expect((await seat()).body.status).not.toBe('active')
      const scope = await query(
        app.databaseUrl,
        `select type, product_id is not null as product, license_id is not null as license
         from events where subject = '${body.id}'`,
      )
      expect(scope).toEqual([
        { type: 'license.changed', product: true, license: true },
        { type: 'license.changed', product: true, license: true },
      ])
    })
  })

  test('only operators and owners issue and revoke; auditors read', async () => {
    const license = await newLicense()
    const key = (await post('/api-keys', { license_id: license, name: 'x' })).body.id
    const writes = [
      ['/api-keys', { license_id: license, name: 'x' }, 201],
      ['/license-keys', { license_id: license, name: 'x' }, 201],
      [`/licenses/${license}/jwt`, { life: 3600, refreshable: true }, 201],
      [`/api-keys/${key}/revoke`, undefined, 200],
    ] as const
    const support = await withRole(app, 'support')
    for (const list of ['api-keys', 'license-keys', 'static-jwts']) {
      expect((await support('GET', `/${list}`)).status).toBe(200)
    }
    for (const [path, body] of writes)
      expect((await support('POST', path, body)).body.error).toBe('forbidden')
    const operator = await withRole(app, 'operator')
    for (const [path, body, status] of writes)
      expect((await operator('POST', path, body)).status).toBe(status)
  })

  test('no secret that was ever shown stands in the database', async () => {
    const license = await newLicense()
    const secrets = [
      (await post('/api-keys', { license_id: license, name: 'x' })).body.api_key,
      (await newKey(license)).body.license_key,
      (await post(`/licenses/${license}/jwt`, { life: 3600, refreshable: true })).body.jwt,
      app.adminKey,
    ]
    const tables = [
      'audit_log',
      'events',
      'api_keys',
      'license_keys',
      'static_jwts',
      'licenses',
      'admin_keys',
    ]
    for (const table of tables) {
      const dump = JSON.stringify(await query(app.databaseUrl, `select * from ${table}`))
      expect(dump.length).toBeGreaterThan(100)
      for (const secret of secrets) {
        expect(dump).not.toContain(secret)
        for (const part of secret.split('.')) expect(dump).not.toContain(part)
      }
    }
  })
})
