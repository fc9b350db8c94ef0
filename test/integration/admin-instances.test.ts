import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { withRole } from '../support/roles.ts'
import { createWorld, type World } from '../support/world.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
const NOW = Date.parse('2026-03-01T12:00:00Z')
const UNKNOWN = 'ins_00000000000080008000000000000000'

describe('instances of the admin API', () => {
  let app: TestApp
  let world: World
  beforeAll(async () => {
    app = await startTestApp()
    world = await createWorld(app)
  })
  afterAll(() => app.stop())

  const register = (instance_id: string, more: object = {}) =>
    app.call('POST', '/api/v1/instances/register', { body: { instance_id, product: 'keldris', ...more } })
  const activate = async (instance_id: string, of: World = world) =>
    (
      await app.call('POST', '/api/v1/licenses/activate', {
        body: { license_key: of.licenseKey, instance_id, product: of.product },
      })
    ).body
  const heartbeat = (instance_id: string, more: object = {}, bearer?: string) =>
    app.call('POST', '/api/v1/instances/heartbeat', {
      bearer,
      body: {
        instance_id,
        product: 'keldris',
        reported_tier: 'free',
        has_valid_entitlement: false,
        metrics: { agent_count: 2 },
        ...more,
      },
    })
  const listed = async (filter: string) => (await app.admin('GET', `/instances?${filter}`)).body
  const idOf = async (instance_id: string): Promise<string> => (await listed(`text=${instance_id}`))[0].id
  const act = (id: string, body: object) => app.admin('POST', `/instances/${id}/action`, body)
  const audited = (subject: string) =>
    query(
      app.databaseUrl,
      `select action, reason, details from audit_log where subject = '${subject}' order by id`,
    )

  test('an instance shows what it said, what it holds and what it is granted', async () => {
    await register('show-1', {
      hostname: 'dev-box',
      server_version: '1.2.3',
      os: 'linux',
      arch: 'arm64',
      fingerprint: 'fp',
    })
    await activate('show-1')
    app.clock.advance(HOUR)
    await heartbeat('show-1', { reported_tier: 'pro', has_valid_entitlement: true })
    const [shown] = await listed('text=SHOW-1')
    expect(shown).toMatchObject({
      id: expect.stringMatching(/^ins_[0-9a-f]{32}$/),
      instance_id: 'show-1',
      product: 'keldris',
      hostname: 'dev-box',
      version: '1.2.3',
      os: 'linux',
      arch: 'arm64',
      fingerprint: 'fp',
      reported_tier: 'pro',
      tier: 'pro',
      licenses: [world.licenseId],
      has_valid_entitlement: true,
      action: { action: 'none', reason: null, set_at: null, delivered_at: null, acknowledged_at: null },
      first_seen_at: '2026-03-01T12:00:00Z',
      last_seen_at: '2026-03-01T13:00:00Z',
      deactivated_at: null,
      stale: false,
      metrics: { agent_count: 2 },
    })
    expect(shown.verified).toBe(shown.proof !== 'none')
    expect((await app.admin('GET', `/instances/${shown.id}`)).body).toEqual(shown)
    expect(JSON.stringify(shown)).not.toMatch(/token|lineage/)
    for (const unknown of [UNKNOWN, 'show-1', 'ins_1']) {
      expect((await app.admin('GET', `/instances/${unknown}`)).status).toBe(404)
      expect((await act(unknown, { action: 'kill' })).status).toBe(404)
    }
    app.clock.set(new Date(NOW))
  })

  test('the granted tier is the highest of its seats, the lowest while downgraded, and none while killed', async () => {
    await activate('tier-1')
    await activate('tier-1', await world.another({ tier: 'enterprise' }))
    const id = await idOf('tier-1')
    const tier = async () => (await app.admin('GET', `/instances/${id}`)).body.tier
    expect(await tier()).toBe('enterprise')
    await act(id, { action: 'downgrade' })
    expect(await tier()).toBe('free')
    await act(id, { action: 'kill' })
    expect(await tier()).toBeNull()
    await act(id, { action: 'none' })
    expect(await tier()).toBe('enterprise')
    await register('tier-2')
    expect((await listed('text=tier-2'))[0]).toMatchObject({ tier: 'free', licenses: [] })
  })

  test('kill is set, delivered, and cleared, with a number that rises each time', async () => {
    await register('kill-1')
    const id = await idOf('kill-1')
    const before = (await app.admin('GET', `/instances/${id}`)).body.action
    expect((await heartbeat('kill-1')).body.action).toBe('none')
    const killed = (await act(id, { action: 'kill', reason: 'stolen' })).body.action
    expect(killed).toEqual({
      action: 'kill',
      reason: 'stolen',
      seq: before.seq + 1,
      set_at: '2026-03-01T12:00:00Z',
      delivered_at: null,
      acknowledged_at: null,
    })
    expect((await heartbeat('kill-1')).body.action).toBe('kill')
    const delivered = (await app.admin('GET', `/instances/${id}`)).body
    expect(delivered.action.delivered_at).toBe('2026-03-01T12:00:00Z')
    app.clock.advance(HOUR)
    expect((await act(id, { action: 'kill', reason: 'stolen' })).body).toEqual(delivered)
    expect((await act(id, { action: 'kill' })).body).toEqual(delivered)
    const cleared = (await act(id, { action: 'none', reason: 'found' })).body.action
    expect(cleared).toEqual({
      action: 'none',
      reason: null,
      seq: NOW + HOUR,
      set_at: '2026-03-01T13:00:00Z',
      delivered_at: null,
      acknowledged_at: null,
    })
    expect((await heartbeat('kill-1')).body.action).toBe('none')
    const downgraded = (await act(id, { action: 'downgrade' })).body.action
    expect(downgraded).toMatchObject({ action: 'downgrade', seq: NOW + HOUR + 1, reason: null })
    expect(
      (await audited(id)).map((row) => [(row.details as { action: string }).action, row.reason]),
    ).toEqual([
      ['kill', 'stolen'],
      ['none', 'found'],
      ['downgrade', null],
    ])
    const events = await query(
      app.databaseUrl,
      `select type, product_id is not null as product, instance_key is not null as instance
       from events where subject = '${id}'`,
    )
    expect(events).toEqual(Array(3).fill({ type: 'action.changed', product: true, instance: true }))
    app.clock.set(new Date(NOW))
  })

  test('another reason for the same action is a change of its own, told anew', async () => {
    await register('kill-4')
    const id = await idOf('kill-4')
    const first = (await act(id, { action: 'kill' })).body.action
    await heartbeat('kill-4')
    const second = (await act(id, { action: 'kill', reason: 'chargeback' })).body.action
    expect(second).toMatchObject({ action: 'kill', reason: 'chargeback', delivered_at: null })
    expect(second.seq).toBeGreaterThan(first.seq)
    await act(id, { action: 'kill', reason: 'chargeback' })
    expect((await audited(id)).map((row) => row.reason)).toEqual([null, 'chargeback'])
    await query(
      app.databaseUrl,
      `update instances set action_delivered_at = now(), action_acknowledged_at = now()
       where instance_key = '${uuid(id)}'`,
    )
    const cleared = (await act(id, { action: 'none' })).body.action
    expect(cleared).toMatchObject({ action: 'none', delivered_at: null, acknowledged_at: null })
    expect(cleared.seq).toBeGreaterThan(second.seq)
    expect((await act(id, { action: 'none', reason: 'again' })).body.action).toEqual(cleared)
  })

  test('an action that is none, and a reason that is too long, are refused', async () => {
    await register('kill-2')
    const id = await idOf('kill-2')
    expect((await act(id, { action: 'explode' })).status).toBe(422)
    expect((await act(id, {})).status).toBe(422)
    expect((await act(id, { action: 'kill', reason: 'x'.repeat(256) })).status).toBe(422)
  })

  test('30 identical kills at once leave one change', async () => {
    await register('kill-3')
    const id = await idOf('kill-3')
    const answers = await Promise.all(Array.from({ length: 30 }, () => act(id, { action: 'kill' })))
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(await audited(id)).toHaveLength(1)
  })

  test('a reset token is refused from then on, and the next proof of a license gets a new one', async () => {
    const token = (await activate('reset-1')).instance_token
    expect(token).toMatch(/^lit_/)
    expect((await heartbeat('reset-1', {}, token)).status).toBe(200)
    const id = await idOf('reset-1')
    expect((await app.admin('GET', `/instances/${id}`)).body).toMatchObject({
      proof: 'instance',
      verified: true,
    })
    const reset = () => app.admin('POST', `/instances/${id}/reset-token`)
    expect((await reset()).body).toMatchObject({ proof: 'none', verified: false })
    expect((await reset()).status).toBe(200)
    expect((await heartbeat('reset-1', {}, token)).body.error).toBe('instance_token_unknown')
    const fresh = (await activate('reset-1', await world.another())).instance_token
    expect(fresh).toMatch(/^lit_/)
    expect(fresh).not.toBe(token)
    const rows = await audited(id)
    expect(rows.map((row) => row.action)).toEqual(['instance.reset_token'])
    expect(JSON.stringify(rows)).not.toContain('lit_')
  })

  test('a released seat is free for another instance, and its own does not take it back by itself', async () => {
    const own = await world.another({ seat_limit: 1 })
    await activate('seat-1', own)
    expect((await activate('seat-2', own)).status).toBe('limit_reached')
    const id = await idOf('seat-1')
    const release = (license: string, of = id) => app.admin('DELETE', `/instances/${of}/seats/${license}`)
    expect((await release(own.licenseId)).body).toMatchObject({ id, licenses: [], tier: 'free' })
    const [row] = await query(
      app.databaseUrl,
      `select ended_by, ended_at from activations where instance_key = '${uuid(id)}'`,
    )
    expect(row).toMatchObject({ ended_by: 'admin', ended_at: new Date(NOW) })
    expect((await release(own.licenseId)).status).toBe(200)
    const validate = await app.call('POST', '/api/v1/licenses/validate', {
      body: { license_key: own.licenseKey, instance_id: 'seat-1', product: 'keldris' },
    })
    expect(validate.body).toMatchObject({ status: 'limit_reached', reason: 'seat_ended' })
    expect((await activate('seat-2', own)).status).toBe('active')
    expect((await release(world.licenseId)).status).toBe(404)
    expect((await release(own.licenseId, UNKNOWN)).status).toBe(404)
    const released = await query(
      app.databaseUrl,
      "select details from audit_log where action = 'seat.release'",
    )
    expect(released).toEqual([
      { details: { instance: id, license_id: own.licenseId, instance_id: 'seat-1' } },
    ])
  })

  test('the filters find by product, license, action, host name and silence', async () => {
    const own = await world.another()
    await register('filter-1', { hostname: 'Rack%7' })
    await activate('filter-2', own)
    await act(await idOf('filter-2'), { action: 'downgrade' })
    const names = async (filter: string) =>
      (await listed(`${filter}&limit=200`)).map((row: { instance_id: string }) => row.instance_id)
    expect(await names(`license=${own.licenseId}`)).toEqual(['filter-2'])
    expect(await names('instance_id=filter-1')).toEqual(['filter-1'])
    expect(await names('instance_id=filter')).toEqual([])
    expect(await names('instance_id=FILTER-1')).toEqual([])
    expect(await names('text=rack%257')).toEqual(['filter-1'])
    expect(await names('text=k_7')).toEqual([])
    expect(await names('action=downgrade')).toContain('filter-2')
    expect(await names('action=downgrade')).not.toContain('filter-1')
    expect(await names('product=keldris')).toContain('filter-1')
    expect(await names('product=other')).toEqual([])
    app.clock.advance(2 * DAY - 1)
    expect(await names('stale=true&text=filter')).toEqual([])
    await heartbeat('filter-2')
    app.clock.advance(1)
    expect(await names('stale=true&text=filter')).toEqual(['filter-1'])
    expect(await names('stale=false&text=filter')).toEqual(['filter-2'])
    expect((await listed('text=filter-1'))[0].stale).toBe(true)
    app.clock.set(new Date(NOW))
    for (const wrong of [
      'stale=maybe',
      'action=x',
      'license=x',
      'text=%00',
      'text=',
      'limit=0',
      'after=e30',
    ]) {
      expect((await app.admin('GET', `/instances?${wrong}`)).status).toBe(422)
    }
  })

  test('auditors and support read, operators act', async () => {
    const own = await world.another()
    await activate('role-1', own)
    const id = await idOf('role-1')
    const writes = [
      ['POST', `/instances/${id}/action`, { action: 'downgrade' }],
      ['POST', `/instances/${id}/reset-token`, undefined],
      ['DELETE', `/instances/${id}/seats/${own.licenseId}`, undefined],
    ] as const
    for (const role of ['auditor', 'support'] as const) {
      const call = await withRole(app, role)
      expect((await call('GET', '/instances')).status).toBe(200)
      expect((await call('GET', `/instances/${id}`)).status).toBe(200)
      for (const [method, path, body] of writes) {
        expect((await call(method, path, body)).body.error).toBe('forbidden')
      }
    }
    const operator = await withRole(app, 'operator')
    for (const [method, path, body] of writes) expect((await operator(method, path, body)).status).toBe(200)
  })
})

const uuid = (id: string) => id.slice(4).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
