import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { withRole } from '../support/roles.ts'
import { createWorld, type World } from '../support/world.ts'

const HOUR = 3_600_000

let app: TestApp
let world: World
beforeAll(async () => {
  app = await startTestApp()
  world = await createWorld(app)
})
afterAll(() => app.stop())

const activate = (instance_id: string) =>
  app.call('POST', '/api/v1/licenses/activate', {
    body: { license_key: world.licenseKey, instance_id, product: 'keldris' },
  })
const keyOf = async (use: string, status = 'active'): Promise<string> =>
  (await app.admin('GET', `/signing-keys?product=keldris&use=${use}`)).body.find(
    (key: { status: string }) => key.status === status,
  ).kid
const preview = async (kid: string) =>
  (await app.admin('POST', `/signing-keys/${kid}/revoke?dry_run=true`)).body
const rotate = (body: object) => app.admin('POST', '/signing-keys/rotate', { product: 'keldris', ...body })

test('the preview of a revocation counts what each key signed, and changes nothing', async () => {
  const old = await keyOf('license')
  await activate('old-1')
  await activate('old-2')
  await app.admin('POST', `/licenses/${world.licenseId}/jwt`, { life: 86_400, refreshable: false })
  app.clock.advance(HOUR)
  await rotate({ use: 'license', activate_in: 60 })
  const waiting = await keyOf('license', 'pending')
  expect(await preview(old)).toMatchObject({ status: 'active', takes_over: waiting, changes: true })
  app.clock.advance(HOUR)
  await activate('old-1')
  const fresh = await keyOf('license')
  expect(fresh).toBe(waiting)
  const before = await query(app.databaseUrl, 'select * from signing_keys order by kid')
  expect(await preview(old)).toMatchObject({
    dry_run: true,
    kid: old,
    use: 'license',
    status: 'retiring',
    takes_over: null,
    stops_verifying: {
      leases: { count: 1, since: '2026-03-01T12:00:00Z' },
      static_jwts: { count: 1, since: '2026-03-01T12:00:00Z' },
      license_keys: { count: 0, since: null, offline: 0 },
      entitlement_tokens: 0,
      allotments: { count: 0, since: null },
      offline_answers: { count: 0, since: null },
    },
    instances: [{ instance_id: 'old-2', lease_ends_at: '2026-04-01T12:00:00Z' }],
    not_counted: [],
  })
  expect(await preview(fresh)).toMatchObject({
    stops_verifying: { leases: { count: 1, since: '2026-03-01T14:00:00Z' }, static_jwts: { count: 0 } },
    instances: [{ instance_id: 'old-1' }],
  })
  expect(await query(app.databaseUrl, 'select * from signing_keys order by kid')).toEqual(before)
  const operator = await withRole(app, 'operator')
  expect((await operator('POST', `/signing-keys/${old}/revoke?dry_run=true`)).status).toBe(403)
  expect((await app.admin('POST', '/signing-keys/none/revoke?dry_run=true')).status).toBe(404)
  await app.admin('POST', `/signing-keys/${old}/revoke`)
  expect(await preview(old)).toMatchObject({ status: 'revoked', changes: false })
})

test('a raw key names the clients that it breaks, in its preview and where it asks to be confirmed', async () => {
  await app.admin('POST', '/license-keys', { license_id: world.licenseId, name: 'air', offline: true })
  const raw = await keyOf('raw')
  expect(await preview(raw)).toMatchObject({
    use: 'raw',
    stops_verifying: {
      leases: { count: 0 },
      license_keys: { count: 2, offline: 1, since: '2026-03-01T12:00:00Z' },
      entitlement_tokens: 2,
    },
    not_counted: ['envelopes'],
  })
  const refused = await rotate({ use: 'raw' })
  expect(refused.body).toMatchObject({
    status: 409,
    error: 'confirmation_required',
    license_keys: 2,
    offline_license_keys: 1,
    instances: 2,
  })
  const named = refused.body.first_instances.map((row: { instance_id: string }) => row.instance_id)
  expect(named.toSorted()).toEqual(['old-1', 'old-2'])
  expect((await rotate({ use: 'raw', confirm: true })).status).toBe(201)
})

test('a control key names the sites that run on its answers, and the allotments of relays', async () => {
  const old = await keyOf('control')
  const path = `/licenses/${world.licenseId}`
  const answer = (instance_id: string) =>
    app.admin('POST', `${path}/offline-activations`, {
      kind: 'leasehold-activation-request',
      version: 1,
      product: 'keldris',
      instance_id,
      nonce: `${instance_id}-0123456789`,
      created_at: '2026-03-01T12:00:00Z',
      action: 'none',
      action_seq: null,
      days: 100,
    })
  await app.admin('PATCH', path, { seat_limit: null })
  expect((await answer('site-1')).status).toBe(201)
  const issued = app.clock.now().toISOString().replace('.000Z', 'Z')
  app.clock.advance(HOUR)
  await rotate({ use: 'control', activate_in: 0 })
  app.clock.advance(HOUR)
  expect((await answer('site-2')).status).toBe(201)
  expect(await preview(old)).toMatchObject({
    use: 'control',
    stops_verifying: {
      leases: { count: 0 },
      static_jwts: { count: 0 },
      allotments: { count: 0 },
      offline_answers: { count: 1, since: issued },
    },
    instances: [{ instance_id: 'site-1' }],
    not_counted: [],
  })
  expect(await preview(await keyOf('control'))).toMatchObject({
    stops_verifying: { offline_answers: { count: 1 } },
    instances: [{ instance_id: 'site-2' }],
  })
})
