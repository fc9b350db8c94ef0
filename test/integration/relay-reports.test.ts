import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { relayTelemetry } from '../../src/domain/instance-api/relay-telemetry.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { countingDatabase } from '../support/counting-database.ts'
import { query } from '../support/query.ts'
import { type EnrolledRelay, enrolRelay } from '../support/relay.ts'
import { pipelineOver } from '../support/tell-reports.ts'
import { createWorld, newCustomer, type World } from '../support/world.ts'

let app: TestApp
let world: World
let relay: EnrolledRelay
beforeAll(async () => {
  app = await startTestApp()
  world = await createWorld(app, { instanceAuth: 'token', license: { seat_limit: null } })
  relay = await enrolRelay(app, world.customerId)
})
afterAll(() => app.stop())

const HOUR = 3_600_000
const DAY = 24 * HOUR
const ago = (ms: number) => new Date(app.clock.now().getTime() - ms).toISOString()

let made = 0
/** An instance that holds a seat, and its id. */
async function instance(of: World = world): Promise<string> {
  made += 1
  const instance_id = `r-${made}`
  const { status } = await app.call('POST', '/api/v1/licenses/token', {
    bearer: of.apiKey,
    body: { instance_id, version: '1' },
  })
  expect(status).toBe(200)
  return instance_id
}
const report = (instance_id: string, more: object = {}) => ({
  instance_id,
  product: 'keldris',
  boot_id: randomUUID(),
  seq: 0,
  observed_at: ago(HOUR),
  metrics: { agent_count: 5 },
  ...more,
})
const send = async (reports: unknown[], by = relay) => (await by.post('/api/v1/telemetry', { reports })).body
const shown = async (instance_id: string) =>
  (await app.admin('GET', `/instances?instance_id=${instance_id}`)).body[0]
const stored = (instance_id: string) =>
  query(
    app.databaseUrl,
    `select r.kind, r.proof, r.observed_at, r.seq::int as seq from reports r
     join instances i using (instance_key) where i.instance_id = '${instance_id}' and r.kind <> 'refresh'
     order by r.observed_at`,
  )

describe('a batch of a relay', () => {
  test('counts each report once, at its own time, for instances of several products', async () => {
    const second = await createWorld(app, { product: 'second' })
    const { body: license } = await app.admin('POST', '/licenses', {
      product: 'second',
      tier: 'pro',
      customer_id: world.customerId,
    })
    const { body: key } = await app.admin('POST', '/api-keys', { license_id: license.id, name: 'x' })
    const one = await instance()
    const two = await instance({ ...second, apiKey: key.api_key })
    const boot_id = randomUUID()
    const batch = [
      ...[0, 1, 2].map((seq) => report(one, { boot_id, seq, observed_at: ago((10 - seq) * HOUR) })),
      report(two, { product: 'second', observed_at: ago(29 * DAY) }),
    ]
    expect(await send(batch)).toEqual({ accepted: 4, duplicates: 0, rejected: [] })
    expect(await send(batch)).toEqual({ accepted: 0, duplicates: 4, rejected: [] })
    const rows = await stored(one)
    expect(rows).toMatchObject([0, 1, 2].map((seq) => ({ seq, kind: 'telemetry', proof: 'relay' })))
    expect(rows.map((row) => new Date(String(row.observed_at)).toISOString())).toEqual(
      [10, 9, 8].map((hours) => ago(hours * HOUR)),
    )
    expect(await stored(two)).toHaveLength(1)
  })

  test('refuses one by one what is too old, of the future, malformed, or not its customer’s', async () => {
    const mine = await instance()
    const foreign = await instance(await world.another({}, await newCustomer(app)))
    await app.call('POST', '/api/v1/instances/register', {
      body: { instance_id: 'bare', product: 'keldris' },
    })
    const { accepted, rejected } = await send([
      report(mine, { observed_at: ago(30 * DAY + 1_000) }),
      report(mine, { observed_at: ago(-301_000) }),
      report(mine, { observed_at: ago(-299_000) }),
      { nonsense: true },
      report(foreign),
      report('bare'),
      report('never heard of'),
      report(mine, { product: 'nothing' }),
      report(mine),
    ])
    expect(accepted).toBe(2)
    expect(rejected).toEqual([
      { index: 0, error: 'too_old' },
      { index: 1, error: 'in_future' },
      { index: 3, error: 'invalid_request' },
      { index: 4, error: 'instance_unproven' },
      { index: 5, error: 'instance_unproven' },
      { index: 6, error: 'instance_unproven' },
      { index: 7, error: 'instance_unproven' },
    ])
    expect(await shown('never heard of')).toBeUndefined()
    expect(await stored(foreign)).toEqual([])
  })

  test('takes reports of an instance whose seat this relay leased itself, and of no other relay’s', async () => {
    await app.admin('PUT', `/relays/${relay.id}/allotments/${world.licenseId}`, { seats: 2 })
    await relay.post('/api/v1/relay/allotments', { license_id: world.licenseId, seats: 2 })
    const lease = {
      license_id: world.licenseId,
      instance_id: 'leased-1',
      product: 'keldris',
      issued_at: ago(0),
      expires_at: ago(-DAY),
    }
    await relay.post('/api/v1/relay/leases', { leases: [lease] })
    const sibling = await enrolRelay(app, world.customerId)
    expect((await send([report('leased-1')], sibling)).rejected).toMatchObject([
      { error: 'instance_unproven' },
    ])
    const premium = report('leased-1', { kind: 'heartbeat', feature_usage: ['oidc'], reported_tier: 'pro' })
    expect((await send([premium])).accepted).toBe(1)
    const found = await shown('leased-1')
    expect(found).toMatchObject({
      proof: 'relay',
      verified: true,
      last_seen_at: ago(HOUR).replace('.000', ''),
      reported_tier: 'pro',
    })
    expect((await app.admin('GET', `/anomalies?instance=${found.id}`)).body).toEqual([])
  })

  test('where instances are open, says nothing of one that another license has proven', async () => {
    const open = await createWorld(app, { product: 'open', instanceAuth: 'open' })
    const keeper = await enrolRelay(app, open.customerId)
    const other = await open.another({}, await newCustomer(app))
    const neighbour = await enrolRelay(app, other.customerId)
    const own = await instance(open)
    const activate = (of: World) =>
      app.call('POST', '/api/v1/licenses/activate', {
        body: { license_key: of.licenseKey, instance_id: own, product: 'open' },
      })
    expect((await activate(other)).body.status).toBe('active')
    expect((await send([report(own, { product: 'open' })], neighbour)).accepted).toBe(0)
    expect((await send([report(own, { product: 'open' })], keeper)).accepted).toBe(1)
  })

  test('takes the same number of statements whatever its size', async () => {
    const ids = await Promise.all(Array.from({ length: 12 }, () => instance()))
    const counting = countingDatabase(app.databaseUrl, 1)
    const bearer = { kind: 'relay_key', text: relay.key } as const
    const pipeline = pipelineOver(app, counting)
    const statements = async (reports: unknown[]) => {
      const before = counting.statements.length
      const { accepted } = await relayTelemetry({ ...app.ctx, db: counting.db }, pipeline, bearer, reports)
      expect(accepted).toBe(reports.length)
      return counting.statements.length - before
    }
    const few = await statements(ids.slice(0, 1).map((id) => report(id)))
    const many = await statements(ids.flatMap((id) => [report(id), report(id), report(id)]))
    await counting.close()
    expect(many).toBe(few)
  })
})

describe('a heartbeat that a relay delivers late', () => {
  const heartbeat = (id: string, more: object = {}) =>
    report(id, {
      kind: 'heartbeat',
      reported_tier: 'pro',
      has_valid_entitlement: true,
      metrics: { agent_count: 7, feature_usage: ['oidc'], server_version: '2.0', uptime_hours: 3.5 },
      ...more,
    })

  test('says what a heartbeat says, as of then', async () => {
    const id = await instance()
    app.clock.advance(10 * HOUR)
    const at = ago(4 * HOUR)
    expect((await send([heartbeat(id, { observed_at: at })])).accepted).toBe(1)
    expect(await shown(id)).toMatchObject({
      last_seen_at: at.replace('.000', ''),
      version: '2.0',
      reported_tier: 'pro',
      metrics: { agent_count: 7, uptime_hours: 3.5 },
      feature_usage: ['oidc'],
      proof: 'relay',
    })
  })

  test('never takes back what was heard later', async () => {
    const id = await instance()
    app.clock.advance(10 * HOUR)
    await send([heartbeat(id, { observed_at: ago(HOUR) })])
    const before = await shown(id)
    const old = { agent_count: 1, feature_usage: ['audit_logs'], server_version: '1.0' }
    const late = heartbeat(id, { observed_at: ago(5 * HOUR), metrics: old, reported_tier: 'free' })
    expect((await send([late])).accepted).toBe(1)
    expect(await shown(id)).toEqual(before)
    expect(await stored(id)).toHaveLength(2)
  })

  test('acknowledges an action, and delivers none', async () => {
    const id = await instance()
    const { id: publicId } = await shown(id)
    const { body } = await app.admin('POST', `/instances/${publicId}/action`, { action: 'downgrade' })
    const { seq } = body.action
    await send([heartbeat(id)])
    expect((await shown(id)).action).toMatchObject({ delivered_at: null, acknowledged_at: null })
    await send([heartbeat(id, { ack: seq - 1 })])
    expect((await shown(id)).action.acknowledged_at).toBeNull()
    await send([heartbeat(id, { ack: seq })])
    expect((await shown(id)).action.acknowledged_at).not.toBeNull()
  })
})

test('a relay key does not open what is an instance’s, and one that is unknown opens nothing', async () => {
  const id = await instance()
  const heartbeat = {
    instance_id: id,
    product: 'keldris',
    reported_tier: 'x',
    has_valid_entitlement: true,
    metrics: {},
  }
  expect((await relay.post('/api/v1/instances/heartbeat', heartbeat)).status).toBe(401)
  const bearer = `${relay.key.slice(0, -1)}${relay.key.endsWith('0') ? '1' : '0'}`
  const answer = await app.call('POST', '/api/v1/telemetry', { bearer, body: { reports: [report(id)] } })
  expect([answer.status, answer.body.error]).toEqual([401, 'relay_key_unknown'])
})
