import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { foldFleet } from '../../src/domain/stats/fold-fleet.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { withRole } from '../support/roles.ts'
import { createWorld, type World } from '../support/world.ts'

const HOUR = 3_600_000
const NOW = Date.parse('2026-03-01T12:00:00Z')
/** Name no more than that it was there: the numbered events, and the seats that are not to be learned again. */
const REMEMBERING = ['events', 'forgotten_seats']
/** What statistics keep of an instance: the job that adds the fleet up takes it out, each minute. */
const OF_STATISTICS = ['fleet_facts', 'fleet_changes']

describe('an instance that an admin removes', () => {
  let app: TestApp
  let world: World
  beforeAll(async () => {
    app = await startTestApp()
    world = await createWorld(app)
  })
  afterAll(() => app.stop())

  const post = (path: string, body: object, bearer?: string) =>
    app.call('POST', `/api/v1/${path}`, { body, bearer })
  const activate = (instance_id: string, of = world) =>
    post('licenses/activate', { license_key: of.licenseKey, instance_id, product: of.product })
  const validate = (instance_id: string, of = world) =>
    post('licenses/validate', { license_key: of.licenseKey, instance_id, product: of.product })
  const refresh = (jwt: string, instance_id: string) =>
    post('licenses/refresh', { instance_id, version: '1' }, jwt)
  const heartbeat = (instance_id: string, bearer?: string) =>
    post(
      'instances/heartbeat',
      {
        instance_id,
        product: 'keldris',
        reported_tier: 'enterprise',
        has_valid_entitlement: false,
        boot_id: '019b76da-a800-4000-8000-000000000001',
        seq: 1,
        metrics: { agent_count: 500 },
      },
      bearer,
    )
  const idOf = async (instance_id: string): Promise<string> =>
    (await app.admin('GET', `/instances?instance_id=${instance_id}`)).body[0].id
  const rowsOf = async (id: string) => {
    const tables = await query(
      app.databaseUrl,
      `select c.table_name as name from information_schema.columns c join pg_class t on t.relname = c.table_name
       where c.table_schema = 'public' and c.column_name = 'instance_key' and not t.relispartition
         and c.table_name not in (${[...REMEMBERING, ...OF_STATISTICS].map((name) => `'${name}'`).join()}) order by 1`,
    )
    const counts = tables.map(
      ({ name: table }) =>
        `(select count(*)::int from ${table} where instance_key = '${uuid(id)}') as ${table}`,
    )
    return (await query(app.databaseUrl, `select ${counts.join(', ')}`))[0]
  }

  test('leaves no row behind but what was audited, and may come back as unknown', async () => {
    const own = await world.another()
    await activate('gone-1', own)
    await heartbeat('gone-1')
    const id = await idOf('gone-1')
    await query(
      app.databaseUrl,
      `insert into telemetry_presence (instance_key, day, marks) values ('${uuid(id)}', '2026-03-01', '{1}')`,
    )
    const relay = '019b76da-a800-7000-8000-00000000000a'
    await query(
      app.databaseUrl,
      `insert into relays (id, customer_id, name, created_at)
       values ('${relay}', '${uuid(own.customerId)}', 'hall', '2026-03-01');
       insert into relay_leases (relay_id, license_id, instance_key, allotment_seq, issued_at, expires_at,
         reported_at)
       values ('${relay}', '${uuid(own.licenseId)}', '${uuid(id)}', 1, '2026-03-01', '2026-03-02', '2026-03-01')`,
    )
    await app.admin('POST', `/licenses/${own.licenseId}/offline-activations`, {
      kind: 'leasehold-activation-request',
      version: 1,
      product: own.product,
      instance_id: 'gone-1',
      nonce: 'n0nce_n0nce_n0nce-1',
      created_at: '2026-03-01T12:00:00Z',
      action: 'none',
      action_seq: null,
    })
    const before = await rowsOf(id)
    expect(Object.values(before ?? {}).every((count) => Number(count) > 0)).toBe(true)
    const { status, text } = await app.admin('DELETE', `/instances/${id}`)
    expect([status, text]).toEqual([204, ''])
    expect(new Set(Object.values((await rowsOf(id)) ?? {}))).toEqual(new Set([0]))
    await foldFleet(app.ctx, new AbortController().signal)
    for (const table of OF_STATISTICS) {
      expect(await query(app.databaseUrl, `select from ${table} where instance_key = '${uuid(id)}'`)).toEqual(
        [],
      )
    }
    expect((await app.admin('GET', `/instances/${id}`)).status).toBe(404)
    expect((await app.admin('DELETE', `/instances/${id}`)).status).toBe(404)
    const [audit] = await query(
      app.databaseUrl,
      `select details from audit_log where subject = '${id}' and action = 'instance.delete'`,
    )
    const { instances: _, ...deleted } = before ?? {}
    expect(audit?.details).toMatchObject({
      instance_id: 'gone-1',
      product: 'keldris',
      action: 'none',
      deleted: { ...deleted, jwt_bindings: 1 },
    })
    app.clock.advance(HOUR)
    expect((await activate('gone-1', own)).body.status).toBe('active')
    const [back] = (await app.admin('GET', '/instances?instance_id=gone-1')).body
    expect(back).toMatchObject({ id, first_seen_at: '2026-03-01T13:00:00Z', action: { action: 'none' } })
    app.clock.set(new Date(NOW))
  })

  test('frees its seat, and no license JWT of before takes it back', async () => {
    const own = await world.another({ seat_limit: 1 })
    const { jwt } = (await activate('gone-2', own)).body
    const id = await idOf('gone-2')
    await app.admin('DELETE', `/instances/${id}`)
    expect((await refresh(jwt, 'gone-2')).body).toMatchObject({ status: 401, error: 'session_ended' })
    expect((await heartbeat('gone-2', jwt)).body).toMatchObject({ status: 401, error: 'session_ended' })
    expect((await activate('gone-3', own)).body.status).toBe('active')
    expect((await refresh(jwt, 'gone-2')).status).toBe(401)
    expect((await activate('gone-2', own)).body).toMatchObject({ status: 'limit_reached' })
  })

  test('is not freed of a kill without a word: the deletion has to be confirmed', async () => {
    await activate('gone-4')
    const id = await idOf('gone-4')
    await app.admin('POST', `/instances/${id}/action`, { action: 'kill', reason: 'stolen' })
    const refused = await app.admin('DELETE', `/instances/${id}`)
    expect(refused.body).toMatchObject({
      status: 409,
      error: 'confirmation_required',
      reason: 'instance_killed',
      fix: expect.stringContaining('?confirm=killed'),
    })
    expect((await app.admin('DELETE', `/instances/${id}?confirm=yes`)).status).toBe(422)
    expect((await app.admin('GET', `/instances/${id}`)).body.action.action).toBe('kill')
    expect((await app.admin('DELETE', `/instances/${id}?confirm=killed`)).status).toBe(204)
    expect((await heartbeat('gone-4')).body.action).toBe('none')
  })

  test('while it reports is known again at once, whole or not at all', async () => {
    await heartbeat('gone-5')
    const id = await idOf('gone-5')
    const reports = Array.from({ length: 12 }, () => heartbeat('gone-5'))
    const deletions = Array.from({ length: 6 }, () => app.admin('DELETE', `/instances/${id}`))
    expect(new Set((await Promise.all(reports)).map(({ status }) => status))).toEqual(new Set([200]))
    for (const { status } of await Promise.all(deletions)) expect([204, 404]).toContain(status)
  })

  test('needs an operator', async () => {
    await heartbeat('gone-6')
    const id = await idOf('gone-6')
    const support = await withRole(app, 'support')
    expect((await support('DELETE', `/instances/${id}`)).status).toBe(403)
    expect((await support('POST', `/instances/${id}/seats/${world.licenseId}/lift`)).status).toBe(403)
    const operator = await withRole(app, 'operator')
    expect((await operator('DELETE', `/instances/${id}`)).status).toBe(204)
  })

  test('whose seat was ended shows a tombstone, which keeps validate from re-taking it until it is lifted', async () => {
    const own = await world.another()
    await activate('stone-1', own)
    const id = await idOf('stone-1')
    const seat = `/instances/${id}/seats/${own.licenseId}`
    const shown = (body: { seats: object[] }) => body.seats[0]
    const held = { license_id: own.licenseId, held: true, ended_by: null, tombstone: false }
    expect(shown((await app.admin('GET', `/instances/${id}`)).body)).toMatchObject(held)
    expect((await app.admin('POST', `${seat}/lift`)).body.seats[0]).toMatchObject(held)
    const ended = (await app.admin('DELETE', seat)).body
    expect(shown(ended)).toMatchObject({
      held: false,
      ended_at: '2026-03-01T12:00:00Z',
      ended_by: 'admin',
      tombstone: true,
    })
    expect((await validate('stone-1', own)).body).toMatchObject({ reason: 'seat_ended' })
    const lifted = (await app.admin('POST', `${seat}/lift`)).body
    expect(shown(lifted)).toMatchObject({ held: false, ended_by: 'admin', tombstone: false })
    expect((await validate('stone-1', own)).body.status).toBe('valid')
    expect(shown((await app.admin('DELETE', seat)).body)).toMatchObject({ tombstone: true })
    expect((await app.admin('POST', `/instances/${id}/seats/${world.licenseId}/lift`)).status).toBe(404)
    const audited = await query(
      app.databaseUrl,
      "select details from audit_log where action = 'seat.lift_tombstone'",
    )
    expect(audited).toEqual([
      { details: { instance: id, license_id: own.licenseId, instance_id: 'stone-1' } },
    ])
  })

  test('is found by tier, version, proof and when it was last heard', async () => {
    const own = await world.another({ tier: 'enterprise' })
    const version = (instance_id: string, server_version: string) =>
      post('instances/register', { instance_id, product: 'keldris', server_version })
    await version('find-1', '1.0')
    await version('find-2', '2.0')
    const { instance_token } = (await activate('find-2', own)).body
    app.clock.advance(HOUR)
    await heartbeat('find-2', instance_token)
    const found = async (filter: string) =>
      (await app.admin('GET', `/instances?text=find&${filter}`)).body.map(
        (row: { instance_id: string }) => row.instance_id,
      )
    expect(await found('tier=enterprise')).toEqual(['find-2'])
    expect(await found('tier=free')).toEqual(['find-1'])
    expect(await found('version=1.0')).toEqual(['find-1'])
    expect(await found('version=1')).toEqual([])
    expect(await found('proof=none')).toEqual(['find-1'])
    expect(await found('proof=instance')).toEqual(['find-2'])
    expect(await found('verified=true')).toEqual(['find-2'])
    expect(await found('verified=false')).toEqual(['find-1'])
    expect(await found('last_seen_after=2026-03-01T13:00:00Z')).toEqual(['find-2'])
    expect(await found('last_seen_before=2026-03-01T13:00:00Z')).toEqual(['find-1'])
    for (const wrong of ['proof=x', 'verified=1', 'last_seen_after=x', 'tier=%00']) {
      expect((await app.admin('GET', `/instances?${wrong}`)).status, wrong).toBe(422)
    }
    app.clock.set(new Date(NOW))
  })
})

const uuid = (id: string) => id.slice(4).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
