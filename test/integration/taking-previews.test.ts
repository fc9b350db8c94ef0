import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { setActions } from '../../src/domain/instances/set-actions.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { countingDatabase } from '../support/counting-database.ts'
import { query } from '../support/query.ts'
import { withRole } from '../support/roles.ts'
import { createWorld, PRO_FEATURES, type World } from '../support/world.ts'

const MAX_AGENTS = { limit: 'max_agents', before: 100, after: 3 }

describe('what is taken', () => {
  let app: TestApp
  let world: World
  beforeAll(async () => {
    app = await startTestApp({ settings: { actionBudget: { perKey: 40, inAll: 100 } } })
    world = await createWorld(app)
  })
  afterAll(() => app.stop())

  const post = (path: string, body?: object) => app.admin('POST', path, body)
  const activate = async (instance_id: string, of = world): Promise<string> => {
    await app.call('POST', '/api/v1/licenses/activate', {
      body: { license_key: of.licenseKey, instance_id, product: of.product, server_version: '1.0.3' },
    })
    return idOf(instance_id)
  }
  const register = (instance_id: string, server_version: string) =>
    app.call('POST', '/api/v1/instances/register', {
      body: { instance_id, product: 'keldris', server_version },
    })
  const idOf = async (instance_id: string): Promise<string> =>
    (await app.admin('GET', `/instances?instance_id=${instance_id}`)).body[0].id
  /** Every row of every table, as one hash a table. */
  const contents = async () => {
    const tables = await query(
      app.databaseUrl,
      "select tablename from pg_tables where schemaname = 'public' order by 1",
    )
    const hashes = tables.map(
      ({ tablename }) => `select '${tablename}' as name, md5(coalesce(string_agg(t::text, e'\\n'
        order by t::text), '')) as hash from "${tablename}" t`,
    )
    return query(app.databaseUrl, hashes.join(' union all '))
  }

  test('a preview says what a kill and a downgrade would take, and when', async () => {
    const id = await activate('see-1')
    const preview = async (action: string) =>
      (await post(`/instances/${id}/action?dry_run=true`, { action })).body
    expect(await preview('downgrade')).toEqual({
      dry_run: true,
      changes: true,
      matched: 1,
      instances: [
        {
          id,
          instance_id: 'see-1',
          product: 'keldris',
          loses: { tier: { before: 'pro', after: 'free' }, features: PRO_FEATURES, limits: [MAX_AGENTS] },
          taken_by: 'directive',
          next_heartbeat_by: '2026-03-01T18:00:00Z',
          lease_ends_at: '2026-03-02T12:00:00Z',
          grace_ends_at: '2026-04-01T12:00:00Z',
        },
      ],
    })
    expect((await preview('kill')).instances[0].loses).toEqual({
      tier: { before: 'pro', after: null },
      features: PRO_FEATURES,
      limits: [{ ...MAX_AGENTS, after: null }],
    })
    expect(await preview('none')).toMatchObject({
      changes: false,
      instances: [{ taken_by: 'nothing', loses: { features: [], limits: [] } }],
    })
    await post(`/instances/${id}/action`, { action: 'kill' })
    expect(await preview('kill')).toMatchObject({
      changes: false,
      instances: [{ taken_by: 'nothing', loses: { tier: { before: null, after: null } } }],
    })
  })

  test('a preview and the effect agree on what another reason changes, and it costs nothing', async () => {
    await register('why-0', '7.7')
    await Promise.all(Array.from({ length: 51 }, (_, i) => register(`why-${i + 1}`, '7.7')))
    const filter = { version: '7.7', text: 'why-' }
    const all = async (dry: boolean, reason?: string, action = 'downgrade') => {
      const order = { filter, action, reason, ...(dry ? {} : { expect: 52 }) }
      return (await post(`/instances/action${dry ? '?dry_run=true' : ''}`, order)).body
    }
    const used = async () => (await app.admin('GET', '/action-budget')).body.used
    expect((await all(true, 'a')).changes).toBe(true)
    // By the server itself, which has no budget: there are more of them than one would allow.
    const begun = await setActions(app.ctx, { filter, action: 'downgrade', reason: 'a', expect: 52 })
    expect(begun.changed).toHaveLength(52)
    const spent = await used()
    for (const [reason, changed] of [
      ['a', 0],
      [undefined, 0],
      ['b', 52],
    ] as const) {
      expect(await all(true, reason)).toMatchObject({ matched: 52, changes: changed > 0 })
      expect((await all(false, reason)).changed).toBe(changed)
    }
    expect(await used()).toBe(spent)
    // The oldest, which the page of a preview does not show, is the only one that differs.
    const oldest = await idOf('why-0')
    const one = async (reason: string, query = '') =>
      (await post(`/instances/${oldest}/action${query}`, { action: 'downgrade', reason })).body
    const { seq } = (await one('b')).action
    expect((await one('b', '?dry_run=true')).changes).toBe(false)
    expect((await one('c', '?dry_run=true')).changes).toBe(true)
    expect((await one('c')).action.seq).toBeGreaterThan(seq)
    expect((await all(true, 'b')).changes).toBe(true)
    expect(await used()).toBe(spent)
    expect((await all(false, 'z', 'none')).changed).toBe(52)
    expect((await all(true, 'y', 'none')).changes).toBe(false)
  })

  test('a preview of a suspension counts what other licenses still grant', async () => {
    const other = await world.another({ tier: 'enterprise' })
    const pro = await activate('see-2', await world.another())
    await activate('see-2', other)
    const preview = (await post(`/licenses/${other.licenseId}/suspend?dry_run=true`)).body
    expect(preview).toMatchObject({
      changes: true,
      matched: 1,
      instances: [
        {
          id: pro,
          taken_by: 'directive',
          loses: {
            tier: { before: 'enterprise', after: 'pro' },
            features: ['sso_sync'],
            limits: [{ limit: 'max_agents', before: -1, after: 100 }],
          },
        },
      ],
    })
    await post(`/licenses/${other.licenseId}/suspend`)
    expect((await post(`/licenses/${other.licenseId}/suspend?dry_run=true`)).body.changes).toBe(false)
    expect((await post(`/licenses/${other.licenseId}/revoke?dry_run=true`)).body).toMatchObject({
      changes: true,
      instances: [{ taken_by: 'nothing', loses: { tier: { before: 'pro', after: 'pro' } } }],
    })
    await post(`/licenses/${other.licenseId}/revoke`)
    expect((await post(`/licenses/${other.licenseId}/suspend?dry_run=true`)).status).toBe(409)
  })

  test('a preview of a revoked credential tells its sessions from what they hold', async () => {
    const own = await world.another()
    const id = await activate('see-3', own)
    const of = async (path: string, body?: object) => (await post(`${path}?dry_run=true`, body)).body
    const key = `/license-keys/${own.licenseKeyId}/revoke`
    expect(await of(key)).toMatchObject({ matched: 1, instances: [{ id, taken_by: 'validate' }] })
    expect(await of(key, { end_sessions: true })).toMatchObject({
      instances: [{ id, taken_by: 'expiry', grace_ends_at: '2026-04-01T12:00:00Z' }],
    })
    expect(await of(`/api-keys/${own.apiKeyId}/revoke`, { end_sessions: true })).toMatchObject({
      changes: true,
      matched: 0,
      instances: [],
    })
    const exchanged = await app.call('POST', '/api/v1/licenses/token', {
      bearer: own.apiKey,
      body: { instance_id: 'see-3', version: '1' },
    })
    expect(exchanged.status).toBe(200)
    expect((await of(`/api-keys/${own.apiKeyId}/revoke`)).instances).toMatchObject([
      { id, taken_by: 'expiry', loses: { tier: { after: 'free' } }, grace_ends_at: '2026-04-01T12:00:00Z' },
    ])
    const order = { life: 3600, refreshable: true }
    const jwt = (await post(`/licenses/${own.licenseId}/jwt`, order)).body.id
    expect(await of(`/static-jwts/${jwt}/revoke`)).toMatchObject({ changes: true, matched: 0 })
  })

  test('no preview writes anything, costs any budget, or is open to those who may not act', async () => {
    const own = await world.another()
    const id = await activate('see-4', own)
    const jwt = (await post(`/licenses/${own.licenseId}/jwt`, { life: 60, refreshable: true })).body.id
    const tried = [
      [`/instances/${id}/action`, { action: 'kill' }],
      ['/instances/action', { filter: { product: 'keldris' }, action: 'kill' }],
      [`/licenses/${own.licenseId}/suspend`, {}],
      [`/licenses/${own.licenseId}/revoke`, {}],
      [`/api-keys/${own.apiKeyId}/revoke`, { end_sessions: true }],
      [`/license-keys/${own.licenseKeyId}/revoke`, { end_sessions: true }],
      [`/static-jwts/${jwt}/revoke`, {}],
    ] as const
    const operator = await withRole(app, 'operator')
    const support = await withRole(app, 'support')
    const before = await contents()
    for (const [path, body] of tried) {
      const { status, body: shown } = await operator('POST', `${path}?dry_run=true`, body)
      expect([path, status, shown.dry_run]).toEqual([path, 200, true])
      expect((await support('POST', `${path}?dry_run=true`, body)).status).toBe(403)
      expect((await operator('POST', `${path}?dry_run=yes`, body)).status).toBe(422)
    }
    expect(await contents()).toEqual(before)
    await operator('POST', `/instances/${id}/action`, { action: 'downgrade' })
    expect(await contents()).not.toEqual(before)
    const unknown = '00000000000070008000000000000000'
    for (const path of [`/instances/ins_${unknown}/action`, `/licenses/lic_${unknown}/suspend`]) {
      expect((await operator('POST', `${path}?dry_run=true`, { action: 'kill' })).status).toBeGreaterThan(400)
    }
    expect((await operator('POST', `/api-keys/key_${unknown}/revoke?dry_run=true`)).status).toBe(404)
  })

  test('a preview with an idempotency key is kept like any answer, and the effect goes by a key of its own', async () => {
    const id = await activate('see-5')
    const ask = (query: string, key: string) =>
      app.call('POST', `/api/v1/admin/instances/${id}/action${query}`, {
        bearer: app.adminKey,
        headers: { 'Idempotency-Key': key },
        body: { action: 'downgrade' },
      })
    const first = await ask('?dry_run=true', 'see')
    expect([first.status, first.body.dry_run]).toEqual([200, true])
    expect((await ask('?dry_run=true', 'see')).text).toBe(first.text)
    expect((await ask('', 'see')).status).toBe(422)
    expect((await ask('', 'do')).body.action.action).toBe('downgrade')
  })

  test('a bulk action has to name how many it means, and sets each as if alone', async () => {
    for (let i = 0; i < 5; i += 1) await register(`bulk-${i}`, '9.9')
    const order = { filter: { version: '9.9' }, action: 'kill', reason: 'leaked build' }
    const shown = (await post('/instances/action?dry_run=true', order)).body
    expect(shown).toMatchObject({ dry_run: true, matched: 5 })
    expect(shown.instances).toHaveLength(5)
    for (const [expected, given] of [
      [null, undefined],
      [4, 4],
    ]) {
      expect((await post('/instances/action', { ...order, expect: given })).body).toMatchObject({
        status: 409,
        error: 'confirmation_required',
        matched: 5,
        expected,
      })
    }
    await post(`/instances/${await idOf('bulk-0')}/action`, { action: 'kill', reason: 'leaked build' })
    const { status, body } = await post('/instances/action', { ...order, expect: 5 })
    expect([status, body.matched, body.changed]).toEqual([200, 5, 4])
    const ids = body.instances.map(({ id }: { id: string }) => `'${id}'`).join()
    const audited = await query(
      app.databaseUrl,
      `select subject, action, reason, details->>'seq' as seq from audit_log where subject in (${ids}) order by id`,
    )
    expect(audited).toEqual(
      body.instances.map(({ id, seq }: { id: string; seq: number }) => ({
        subject: id,
        action: 'instance.action',
        reason: 'leaked build',
        seq: String(seq),
      })),
    )
    const events = await query(
      app.databaseUrl,
      `select number::text as number, subject, type from events where subject in (${ids}) order by number`,
    )
    expect(events.map(({ subject }) => subject)).toEqual(body.instances.map(({ id }: { id: string }) => id))
    expect(new Set(events.map(({ number }) => number)).size).toBe(4)
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['action.changed']))
    const killed = (await app.admin('GET', '/instances?version=9.9')).body
    for (const { action } of killed) expect(action).toMatchObject({ action: 'kill', reason: 'leaked build' })
    const clear = { filter: { version: '9.9' }, action: 'none', expect: 5 }
    expect((await post('/instances/action', clear)).body.changed).toBe(5)
    expect((await post('/instances/action', clear)).body).toMatchObject({ changed: 0, instances: [] })
    for (const wrong of [
      { filter: {} },
      { filter: { stale: 'true' } },
      { filter: { limit: 5 } },
      { expect: -1 },
    ]) {
      expect((await post('/instances/action', { ...order, ...wrong })).status).toBe(422)
    }
  })

  test('a bulk action counts against the budget with the number that it changes, all or none', async () => {
    for (let i = 0; i < 41; i += 1) await register(`cost-${i}`, '8.8')
    const order = { filter: { version: '8.8' }, action: 'downgrade', expect: 41 }
    const operator = await withRole(app, 'operator')
    expect((await operator('POST', '/instances/action', order)).body).toMatchObject({
      status: 429,
      error: 'action_budget_exceeded',
      wanted: 41,
    })
    expect((await app.admin('GET', '/instances?version=8.8&action=downgrade')).body).toEqual([])
    const some = { ...order, filter: { version: '8.8', text: 'cost-1' }, expect: 11 }
    expect((await operator('POST', '/instances/action', some)).body.changed).toBe(11)
  })

  test('the statements of a bulk action do not grow with its instances; beyond 1,000 it is refused', async () => {
    await query(
      app.databaseUrl,
      `insert into instances (instance_key, product_id, instance_id, metrics, feature_usage, first_seen_at,
         last_seen_at, action, action_seq, proof, version)
       select gen_random_uuid(), p.id, 'many-' || n, '{}', '{}', now(), now(), 'none', 1, 'none',
         case when n <= 3 then 'few' when n <= 1003 then 'many' else 'beyond' end
       from products p, generate_series(1, 2004) n where p.code = 'keldris'`,
    )
    const counting = countingDatabase(app.databaseUrl, 1)
    try {
      const run = async (version: string, expected: number) => {
        counting.statements.length = 0
        const ctx = { ...app.ctx, db: counting.db }
        const order = { filter: { version }, action: 'downgrade', expect: expected } as const
        const { changed } = await setActions(ctx, order)
        return [changed.length, counting.statements.length]
      }
      const [, few] = await run('few', 3)
      expect(await run('many', 1000)).toEqual([1000, few])
    } finally {
      await counting.close()
    }
    const beyond = { filter: { version: 'beyond' }, action: 'kill', expect: 1001 }
    expect((await post('/instances/action?dry_run=true', beyond)).body.matched).toBe(1001)
    expect((await post('/instances/action', beyond)).body).toMatchObject({
      status: 422,
      reason: 'too_many_instances',
      limit: 1000,
      fix: expect.stringContaining('Narrow the filter'),
    })
  })
})
