import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { followKeySet } from '../../src/license/key-set.ts'
import { importRootKey } from '../../src/license/trusted-keys.ts'
import { mintCredential } from '../../src/platform/credentials.ts'
import { ISSUER, startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { enrolRelay, makeRelayKey, relayJwk } from '../support/relay.ts'
import { withRole } from '../support/roles.ts'
import { listen } from '../support/sync-client.ts'
import { createWorld, newCustomer, type World } from '../support/world.ts'

let app: TestApp
let other: TestApp
let world: World
beforeAll(async () => {
  app = await startTestApp({ sync: { pollMs: 300 } })
  other = await startTestApp({ beside: app, sync: { pollMs: 300 } })
  world = await createWorld(app, { instanceAuth: 'token', license: { seat_limit: null } })
})
afterAll(async () => {
  await other.stop()
  await app.stop()
})

const create = async (name = 'Plant 2') =>
  (await app.admin('POST', '/relays', { customer_id: world.customerId, name })).body
const enrol = (code: string, more: object = {}, on = app) =>
  on.call('POST', '/api/v1/relays/enroll', {
    body: { code, public_key: relayJwk(makeRelayKey().x), version: '1.0.0', ...more },
  })

describe('a relay', () => {
  test('is created for a customer, read, listed, renamed, and written down', async () => {
    const answer = await app.admin('POST', '/relays', { customer_id: world.customerId, name: 'Plant 1' })
    expect(answer.status).toBe(201)
    const { enrolment_code, ...relay } = answer.body
    expect(answer.headers.get('Location')).toBe(`/api/v1/admin/relays/${relay.id}`)
    expect(enrolment_code).toMatch(/^lre_/)
    expect(relay).toMatchObject({
      customer_id: world.customerId,
      name: 'Plant 1',
      status: 'pending',
      enrolment_expires_at: '2026-03-02T12:00:00Z',
      allotments: [],
    })
    expect((await app.admin('GET', `/relays/${relay.id}`)).body).toEqual(relay)
    const { body: renamed } = await app.admin('PATCH', `/relays/${relay.id}`, { name: 'Plant one' })
    expect(renamed).toEqual({ ...relay, name: 'Plant one' })
    const { body: list } = await app.admin('GET', `/relays?customer=${world.customerId}`)
    expect(list).toContainEqual(renamed)
    expect((await app.admin('GET', `/relays?customer=${await newCustomer(app)}`)).body).toEqual([])
    const { body: audit, text } = await app.admin('GET', `/audit?subject=${relay.id}`)
    expect(audit.map(({ action }: { action: string }) => action)).toEqual(['relay.change', 'relay.create'])
    expect(text).not.toContain(enrolment_code)
  })

  test('is made by an owner alone, for a customer that exists', async () => {
    const operator = await withRole(app, 'operator')
    const wish = { customer_id: world.customerId, name: 'x' }
    expect((await operator('POST', '/relays', wish)).status).toBe(403)
    const nobody = `cus_${'0'.repeat(32)}`
    expect((await app.admin('POST', '/relays', { ...wish, customer_id: nobody })).status).toBe(404)
    for (const id of ['x', `rly_${'0'.repeat(32)}`]) {
      expect((await app.admin('GET', `/relays/${id}`)).status).toBe(404)
      expect((await app.admin('POST', `/relays/${id}/revoke`)).status).toBe(404)
      expect((await app.admin('POST', `/relays/${id}/enrolment-code`)).status).toBe(404)
    }
  })
})

describe('enrolment', () => {
  test('gives the key, the products and the keys to trust, and uses the code up', async () => {
    const { id, enrolment_code } = await create()
    const { x } = makeRelayKey()
    const answer = await enrol(enrolment_code, { public_key: relayJwk(x), name: 'rack 4' })
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({
      relay_id: id,
      relay_key: expect.stringMatching(/^lrk_/),
      issuer: ISSUER,
      products: ['keldris'],
      key_set: expect.any(String),
    })
    const root = await importRootKey(Buffer.from(app.services.rootPublicKeyHex, 'hex'))
    if (!root.ok) throw new Error(root.reason)
    const set = await followKeySet(answer.body.key_set, { issuer: ISSUER, roots: [root.key], current: null })
    expect(set.ok).toBe(true)
    expect((await app.admin('GET', `/relays/${id}`)).body).toMatchObject({
      name: 'rack 4',
      status: 'enrolled',
      public_key: x,
      version: '1.0.0',
      key_prefix: answer.body.relay_key.slice(0, 12),
      enrolment_expires_at: null,
    })
    const again = await enrol(enrolment_code)
    expect([again.status, again.body.error]).toEqual([401, 'enrolment_code_unknown'])
    const { body: audit, text } = await app.admin('GET', `/audit?subject=${id}&action=relay.enrol`)
    expect(audit).toMatchObject([{ actor_kind: 'relay', actor: id }])
    expect(text).not.toContain(answer.body.relay_key)
    const rows = await query(app.databaseUrl, `select to_jsonb(relays)::text as row from relays`)
    const stored = JSON.stringify(rows)
    expect(stored).not.toContain(answer.body.relay_key.slice(12))
    expect(stored).not.toContain(enrolment_code.slice(4))
  })

  test('of 20 at once with one code, on two servers, is won by one', async () => {
    const { enrolment_code } = await create()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => enrol(enrolment_code, {}, n % 2 === 0 ? app : other)),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(19)
  })

  test('is refused with a code that is unknown, mistyped, replaced or a day old, and with no public key', async () => {
    const { id, enrolment_code: first } = await create()
    const { body } = await app.admin('POST', `/relays/${id}/enrolment-code`)
    for (const code of [
      first,
      `${body.enrolment_code.slice(0, -1)}!`,
      mintCredential('enrolment_code').secret,
      '',
    ]) {
      expect((await enrol(code)).body.error).toBe('enrolment_code_unknown')
    }
    const private_jwk = { ...relayJwk(makeRelayKey().x), d: 'AAAA' }
    for (const public_key of [undefined, private_jwk, { ...relayJwk('short') }]) {
      expect((await enrol(body.enrolment_code, { public_key })).status).toBe(422)
    }
    app.clock.advance(24 * 3_600_000)
    expect((await enrol(body.enrolment_code)).body.error).toBe('enrolment_code_unknown')
  })

  test('again gives a new key, and the one before is dead', async () => {
    const relay = await enrolRelay(app, world.customerId)
    const { body } = await app.admin('POST', `/relays/${relay.id}/enrolment-code`)
    const before = await listen(other.url, { bearer: relay.key })
    expect(before.messages[0]?.type).toBe('welcome')
    const { relay_key } = (await enrol(body.enrolment_code)).body
    expect((await before.closed).code).toBe(4403)
    expect((await listen(app.url, { bearer: relay_key })).messages[0]?.type).toBe('welcome')
  })
})

describe('a revoked relay', () => {
  test('is heard no more, on any process, and its socket ends within 2 s', async () => {
    const relay = await enrolRelay(app, world.customerId)
    const socket = await listen(other.url, { bearer: relay.key })
    const began = performance.now()
    const { body } = await app.admin('POST', `/relays/${relay.id}/revoke`)
    expect(body).toMatchObject({ status: 'revoked' })
    const refused = await other.call('GET', '/api/v1/relay/licenses', { bearer: relay.key })
    expect([refused.status, refused.body.error]).toEqual([401, 'relay_key_revoked'])
    expect((await socket.closed).code).toBe(4403)
    expect(performance.now() - began).toBeLessThan(2_000)
    expect((await app.admin('POST', `/relays/${relay.id}/revoke`)).body).toEqual(body)
    expect((await app.admin('POST', `/relays/${relay.id}/enrolment-code`)).status).toBe(409)
  })
})

describe('the live channel of a relay', () => {
  test('tells of the licenses, instances and keys of its customer, and of nothing else', async () => {
    const relay = await enrolRelay(app, world.customerId)
    const sibling = await enrolRelay(app, world.customerId)
    const foreign = await createWorld(app, { product: 'foreign' })
    const same = await world.another({}, await newCustomer(app))
    const { body: session } = await app.call('POST', '/api/v1/licenses/token', {
      bearer: world.apiKey,
      body: { instance_id: 'i-1', version: '1' },
    })
    expect(session.jwt).toBeDefined()
    const [{ id: instance }] = (await app.admin('GET', '/instances')).body
    const mine = await listen(other.url, { bearer: relay.key })
    const theirs = await listen(app.url, { bearer: sibling.key })
    await app.admin('POST', `/licenses/${foreign.licenseId}/suspend`, {})
    await app.admin('POST', `/licenses/${same.licenseId}/suspend`, {})
    await app.admin('POST', '/signing-keys/rotate', { product: 'foreign', use: 'license', activate_in: 0 })
    await app.admin('POST', `/licenses/${world.licenseId}/suspend`, {})
    await app.admin('POST', `/licenses/${world.licenseId}/reinstate`, {})
    await app.admin('POST', `/instances/${instance}/action`, { action: 'downgrade' })
    await app.admin('POST', '/signing-keys/rotate', { product: 'keldris', use: 'license', activate_in: 0 })
    await app.admin('PUT', `/relays/${relay.id}/allotments/${world.licenseId}`, { seats: 2 })
    const ours = [
      { type: 'license.changed', license_id: world.licenseId },
      { type: 'license.changed', license_id: world.licenseId },
      { type: 'action.changed', instance },
      { type: 'keys.changed', product: 'keldris' },
    ]
    expect(await mine.told(5)).toMatchObject([...ours, ours[0]])
    expect(await theirs.told(4)).toMatchObject(ours)
    await app.admin('POST', `/instances/${instance}/action`, { action: 'none' })
    expect((await mine.told(6)).length).toBe(6)
    expect((await theirs.told(5)).length).toBe(5)
  })
})
