import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { until } from '../support/leasehold-process.ts'
import { query } from '../support/query.ts'
import { removeRelay, startTestRelay, type TestRelay } from '../support/running-relay.ts'
import { listen, refusedWith } from '../support/sync-client.ts'
import { createWorld, type World } from '../support/world.ts'

let app: TestApp
let world: World
let relay: TestRelay

beforeAll(async () => {
  app = await startTestApp({
    startAt: new Date().toISOString(),
    sync: { pollMs: 200 },
    settings: { syncUrl: 'wss://license.example.com/api/v1/sync' },
  })
  world = await createWorld(app)
  relay = await startTestRelay(app, { customerId: world.customerId })
  await until(async () => (await status()).live && (await status()).last_sync !== null)
})

afterAll(async () => {
  await relay.stop()
  await removeRelay(relay)
  await app.stop()
})

const status = async () => (await relay.local('GET', '/api/licenses/sync-status')).body

const exchange = (instance: string) =>
  relay.call('POST', '/api/v1/licenses/token', {
    bearer: world.apiKey,
    body: { instance_id: instance, version: '1' },
  })

describe('an enrolled relay', () => {
  test('shows the license that the vendor told it of', async () => {
    const answer = await relay.local('GET', '/api/licenses/current')
    expect(answer.body).toEqual({
      licensed: true,
      license: {
        id: world.licenseId,
        organization_name: 'Analytical Engines',
        license_type: { name: 'pro', features: ['audit_logs', 'oidc'] },
        product: 'keldris',
        status: 'active',
        max_users: null,
        limits: { max_agents: 100 },
        issued_at: expect.any(String),
        expires_at: '2027-03-01T12:00:00Z',
        server_fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
        sync_status: 'synced',
        last_sync: expect.any(String),
      },
    })
  })

  test('names the machine it runs on the same way after a restart', async () => {
    const before = (await relay.local('GET', '/api/licenses/current')).body.license.server_fingerprint
    relay = await relay.again()
    await until(async () => (await status()).live)
    const after = (await relay.local('GET', '/api/licenses/current')).body.license.server_fingerprint
    expect(after).toBe(before)
  })

  test('delivers what it was told while the vendor was away, once, at its own time', async () => {
    const { body } = await exchange('reporter')
    const at = new Date(Date.now() - 3_600_000).toISOString()
    const report = { boot_id: '0b0c8f1e-6e0a-4a7e-9a53-0d6f5b8f7c11', seq: 7, observed_at: at }
    const cut = await relay.again({ LEASEHOLD_UPSTREAM: 'http://127.0.0.1:9' })
    const heartbeat = {
      instance_id: 'reporter',
      product: world.product,
      reported_tier: 'pro',
      has_valid_entitlement: false,
      metrics: { agent_count: 4 },
      ...report,
    }
    for (let time = 0; time < 2; time++) {
      const answer = await cut.call('POST', '/api/v1/instances/heartbeat', {
        bearer: body.jwt,
        body: heartbeat,
      })
      expect(answer.body.status).toBe('ok')
    }
    relay = await cut.again({ LEASEHOLD_UPSTREAM: app.url })
    await until(async () => (await status()).queue.length === 0 && (await status()).live)
    const rows = await query(
      app.databaseUrl,
      `select observed_at, proof from reports where boot_id = '${report.boot_id}' and seq = 7`,
    )
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({ proof: 'relay' })
    expect(rows[0]?.observed_at).toEqual(new Date(at))
  })

  test('offers its own live channel, not the vendor’s', async () => {
    const { body } = await exchange('elsewhere')
    expect(body.config.sync).toBe(`${relay.url.replace('http', 'ws')}/api/v1/sync`)
  })

  test('passes on what changed within two seconds, to whom it concerns', async () => {
    const { body } = await exchange('listener')
    const mine = await listen(relay.url, { hello: { token: body.jwt, last_event: 0 } })
    const began = performance.now()
    await app.admin('POST', `/licenses/${world.licenseId}/suspend`, { reason: 'unpaid' })
    await until(() => mine.events().some(({ type }) => type === 'license.changed'), 5000)
    expect(performance.now() - began).toBeLessThan(2000)
    // The hint takes nothing; the question that follows is answered by the vendor.
    const refused = await exchange('listener')
    expect(refused).toMatchObject({ status: 403, body: { error: 'license_suspended' } })
    await app.admin('POST', `/licenses/${world.licenseId}/reinstate`, { reason: 'paid' })
    expect((await exchange('listener')).status).toBe(200)
    await mine.close()
  })

  test('lets nobody else onto its channel', async () => {
    expect(await refusedWith(relay.url, { headers: { Origin: 'https://evil.example' } })).toBe(403)
    expect(await refusedWith(relay.url, { path: '/api/v1/sync?token=x' })).toBe(400)
    const stranger = await listen(relay.url, { hello: { token: 'lit_nobody' } })
    expect((await stranger.closed).code).toBe(4401)
  })
})
